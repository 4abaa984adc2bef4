import { Command } from "commander";
import type { Context } from "../context.ts";
import type { Finding } from "../findings.ts";
import { examineMachine } from "../findings.ts";

/** `gmc doctor`: what this machine has, what is missing and how to get it. */
export const doctorCommand = (context: Context): Command =>
  new Command("doctor")
    .description("Check Node, onnxruntime (by training a tiny model), graphics cards, memory, disk and sharp.")
    .addHelpText(
      "after",
      "\nExit code 1 when training cannot work here.\n\nExamples:\n  gmc doctor\n  gmc doctor --json\n",
    )
    .action(async () => {
      const findings = await examineMachine(process.cwd());
      const ok = findings.every((finding) => finding.ok || !finding.needed);
      if (!ok) context.exit(1);
      context.output.result({ ok, findings }, `${findings.map(findingText).join("\n")}\n\n${verdict(ok)}`);
    });

function findingText({ name, ok, needed, absent, found, advice }: Finding): string {
  const mark = absent ? "absent " : ok ? "found  " : needed ? "MISSING" : "warning";
  const advised = (!ok || absent) && advice !== undefined;
  return `${mark}  ${name.padEnd(12)} ${found}${advised ? `\n${" ".repeat(22)}${advice}` : ""}`;
}

const verdict = (ok: boolean): string =>
  ok ? "Training works here." : "Training cannot work here yet; see what is missing.";
