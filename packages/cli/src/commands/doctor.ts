import { Command } from "commander";
import type { Context } from "../context.ts";
import { examine } from "../doctor/examine.ts";
import type { Finding } from "../doctor/finding.ts";

/** `gmc doctor [CONFIG]`: what this machine has, what is missing and how to get it. */
export const doctorCommand = (context: Context): Command =>
  new Command("doctor")
    .description(
      "Check the whole installation: Node, engines and their devices (by training a tiny model), graphics cards, Redis, memory, disk, and a run's config.",
    )
    .argument("[config]", "a run's YAML: is everything there that it needs?")
    .option("--redis <url>", "also check this server, as a cluster would use it")
    .addHelpText(
      "after",
      `
Exit code 1 when the chosen setup cannot train here. Config flags work too: --engine.kind tensorflow.

Examples:
  gmc doctor
  gmc doctor examples/mhd.yaml --data.path data/mhd
  gmc doctor --engine.kind tensorflow --engine.device gpu:0
  gmc doctor --redis redis://localhost:6379 --json
`,
    )
    .action(async (config: string | undefined, { redis }: { redis?: string }) => {
      const findings = await examine({
        folder: process.cwd(),
        overrides: context.overrides,
        ...(config !== undefined && { config }),
        ...(redis !== undefined && { redis }),
      });
      const ok = findings.every((finding) => finding.ok || !finding.needed);
      if (!ok) context.exit(1);
      context.output.result({ ok, findings }, `${findings.map(findingText).join("\n")}\n\n${verdict(ok)}`);
    });

function findingText({ name, ok, needed, absent, found, advice }: Finding): string {
  const mark = absent ? "absent " : ok ? "found  " : needed ? "MISSING" : "warning";
  const advised = (!ok || absent) && advice !== undefined;
  return `${mark}  ${name.padEnd(13)} ${found}${advised ? `\n${" ".repeat(23)}${advice}` : ""}`;
}

const verdict = (ok: boolean): string =>
  ok ? "Training works here." : "Training cannot work here yet; see what is missing.";
