import { Command } from "commander";
import type { Context } from "../context.ts";
import { clusterDownCommand } from "./cluster-down.ts";
import { clusterHealthCommand } from "./cluster-health.ts";
import { clusterStatusCommand } from "./cluster-status.ts";
import { clusterUpCommand } from "./cluster-up.ts";

/** `gmc cluster …`: a cluster on this machine, and a look at any. */
export const clusterCommand = (context: Context): Command =>
  new Command("cluster")
    .description("Start and stop a cluster on this machine; show what one does.")
    .helpCommand(false)
    .addHelpText("after", EXAMPLES)
    .addCommand(clusterUpCommand(context))
    .addCommand(clusterDownCommand(context))
    .addCommand(clusterStatusCommand(context))
    .addCommand(clusterHealthCommand(context));

const EXAMPLES = `
Examples:
  gmc cluster up --workers 4
  gmc cluster status --watch
  gmc cluster down
`;
