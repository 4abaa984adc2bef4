import { runConfigFields } from "@gmc/experiment";

/** The config's values for `--help`, one section after another: flag, type, default, description. */
export function fieldHelp(): string {
  const lines = runConfigFields().map(({ path, type, default: standard, description }) => {
    const value =
      standard === undefined ? "" : ` [${typeof standard === "string" ? standard : JSON.stringify(standard)}]`;
    return `  --${path} <${type}>${value}\n      ${description}`;
  });
  return `Values of a config, as flags [default]:\n${lines.join("\n")}\n`;
}
