import type { Manifest } from "@gmc/data";
import type { Context } from "./context.ts";
import { grouped } from "./text-table.ts";

/** A listener for a builder's progress on the status line. */
export const showMaking =
  ({ status }: Context) =>
  (done: number, total: number, split = ""): void =>
    status.update({
      label: split === "" ? "Making" : `Making ${split}`,
      done,
      total,
      detail: `${grouped(done)}/${grouped(total)} samples`,
    });

/** Tells of a new data set. */
export function tellMade({ output, status }: Context, out: string, manifest: Manifest): void {
  status.end();
  const splits = Object.entries(manifest.splits).map(([name, { samples }]) => [name, samples] as const);
  const document = {
    out,
    name: manifest.name,
    sha256: manifest.sha256,
    modalities: manifest.modalities.map(({ name, kind, shape }) => ({ name, kind, shape })),
    samples: Object.fromEntries(splits),
  };
  const counts = splits.map(([name, samples]) => `${grouped(samples)} ${name}`).join(", ");
  const modalities = manifest.modalities.map(({ name, kind, shape }) => `  ${name} (${kind}, ${shape.join(" × ")})`);
  output.result(
    document,
    [`${out} holds ${counts} samples of`, ...modalities, `Look at it: gmc data inspect ${out}`].join("\n"),
  );
}
