// Writes a little data set of the kind you may have: three npy files with one row a sample, and a file with one class a row.
// Here a "plant" is photographed, weighed and measured over time; only its species is shared between the three.
//   node examples/own-data/make-data.mjs FOLDER
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2] ?? "data/own-source";
const SAMPLES = 600;
const SPECIES = ["fern", "moss", "reed"];
mkdirSync(folder, { recursive: true });

let state = 42;
const uniform = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const noise = () => uniform() + uniform() + uniform() - 1.5;

const photo = new Uint8Array(SAMPLES * 16 * 16); // [600, 16, 16], grey
const growth = new Float32Array(SAMPLES * 24); // [600, 24], height a day
const scales = new Float32Array(SAMPLES * 5); // [600, 5], five weights
const species = [];
for (let i = 0; i < SAMPLES; i++) {
  const kind = Math.floor(uniform() * 3);
  species.push(SPECIES[kind]);
  for (let p = 0; p < 256; p++) {
    const stripes = Math.sin((kind + 1) * 0.4 * (kind === 1 ? Math.floor(p / 16) : p % 16));
    photo[i * 256 + p] = Math.max(0, Math.min(255, 128 + 90 * stripes + 40 * noise()));
  }
  for (let day = 0; day < 24; day++) growth[i * 24 + day] = [0.1, 0.02, 0.4][kind] * day + 0.4 * noise();
  for (let w = 0; w < 5; w++) scales[i * 5 + w] = (w === kind ? 2 : 1) + 0.5 * noise();
}
writeFileSync(join(folder, "photo.npy"), npy(photo, "|u1", [SAMPLES, 16, 16]));
writeFileSync(join(folder, "growth.npy"), npy(growth, "<f4", [SAMPLES, 24]));
writeFileSync(join(folder, "scales.npy"), npy(scales, "<f4", [SAMPLES, 5]));
writeFileSync(join(folder, "species.csv"), `species\n${species.join("\n")}\n`);
console.error(`${SAMPLES} samples are in ${folder}`);

/** NumPy's own format, version 1.0; yours will come from numpy.save. */
function npy(array, descr, shape) {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  const padded = `${header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11)}\n`;
  const head = Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, padded.length & 255, padded.length >> 8]);
  return Buffer.concat([head, Buffer.from(padded, "latin1"), Buffer.from(array.buffer)]);
}
