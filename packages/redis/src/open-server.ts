import type { Logger } from "@gmc/core";
import { silentLogger } from "@gmc/core";
import { describeAddress, parseRedisUrl } from "./address.ts";
import type { ConnectionOptions, RedisConnection } from "./connection.ts";
import { openConnection } from "./connection.ts";
import type { ServerRole } from "./server-info.ts";
import { checkServer } from "./server-info.ts";

/**
 * Connects to the server of a role and checks it.
 *
 * @throws {ConfigError} for a URL that is none
 * @throws {EnvironmentError} when it cannot be reached, or is not fit for the role, naming the setting to change
 */
export async function openServer(
  url: string,
  role: ServerRole,
  options: ConnectionOptions & { readonly logger?: Logger } = {},
): Promise<RedisConnection> {
  const address = parseRedisUrl(url);
  const connection = await openConnection(address, options);
  try {
    const remarks = checkServer(await connection.serverInfo(), role, describeAddress(address));
    for (const remark of remarks) (options.logger ?? silentLogger).warn("redis.setting", { remark });
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}
