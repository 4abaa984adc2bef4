// Writes src/messages.gen.ts: the .proto files as protobufjs reflection data, so that nothing is parsed at run time.
//
//     node packages/protocol/scripts/generate-messages.mjs
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import protobuf from "protobufjs";

const folder = new URL("../proto/", import.meta.url);
const output = new URL("../src/messages.gen.ts", import.meta.url);

/** Text of the generated file. */
export function generateMessages() {
  const root = new protobuf.Root();
  const files = readdirSync(folder).sort();
  for (const file of files) protobuf.parse(readFileSync(new URL(file, folder), "utf8"), root);
  const json = JSON.stringify(root.resolveAll().toJSON(), null, 2);
  return `// Generated from ${files.join(", ")} by scripts/generate-messages.mjs; edit those.\nexport const descriptor = ${json};\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) writeFileSync(output, generateMessages());
