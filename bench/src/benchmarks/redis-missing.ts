import { redisServerMissing } from "@gmc/testkit";

/** Why nothing over Redis can be measured here; undefined where it can. */
export const redisMissing = (): string | undefined => redisServerMissing() && "there is no redis-server on the PATH";
