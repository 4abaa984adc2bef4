import { describeCollective } from "../describe-collective.testing.ts";
import { openLocalGroup } from "./local-member.ts";

describeCollective("local", async (shardsOfWorkers, options) => {
  const group = openLocalGroup(shardsOfWorkers, options);
  return { members: group.members, close: async () => group.close() };
});
