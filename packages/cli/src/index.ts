export type { CliEnvironment } from "./cli.ts";
export { runCli } from "./cli.ts";
