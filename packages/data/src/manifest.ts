import { DataError, sha256OfJson } from "@gmc/core";
import { z } from "zod";

/** Number types a tensor file of a data set may hold (npy: little-endian, C order). */
export const STORED_DTYPES = ["uint8", "int8", "uint16", "int16", "int32", "float32", "float64"] as const;
export type StoredDType = (typeof STORED_DTYPES)[number];

const Name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, "letters, digits, - and _")
  .describe("Name of a modality or a split; also a file or folder name.");
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, "64 hexadecimal digits");

const Statistics = z
  .strictObject({ mean: z.number(), std: z.number(), min: z.number(), max: z.number() })
  .readonly()
  .describe(
    "Over all values (after scale and offset) of the train split, or of the first split where none is so named.",
  );

const FileModality = z
  .strictObject({
    name: Name,
    kind: z.enum(["image", "spectrogram", "vector"]),
    shape: z.array(z.int().positive()).min(1).readonly().describe("Of one sample, channels last: [28,28,1], [200]."),
    dtype: z.enum(STORED_DTYPES),
    scale: z.number().default(1).describe("A stored number v means v·scale + offset."),
    offset: z.number().default(0),
    display: z.enum(["trajectory"]).optional().describe("trajectory: the vector is x0, y0, x1, y1, … of a pen, y up."),
    statistics: Statistics,
  })
  .readonly();

const LabelModality = z
  .strictObject({
    name: Name,
    kind: z.literal("label"),
    shape: z.tuple([z.int().positive()]).readonly().describe("[classes]: the label as a one-hot vector, no file."),
  })
  .readonly();

const StoredFile = z
  .strictObject({
    path: z
      .string()
      .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$)).+$/, "a path inside the data set's folder")
      .describe("Relative to the manifest, with forward slashes."),
    sha256: Sha256,
    bytes: z.int().nonnegative(),
  })
  .readonly();

const StoredSplit = z
  .strictObject({
    samples: z.int().nonnegative(),
    files: z.record(Name, StoredFile).readonly().describe("One file a modality, by its name."),
    labels: StoredFile.optional().describe("int32 class indices; absent in a set without labels."),
  })
  .readonly();

/** What `manifest.json` holds. */
export const Manifest = z
  .strictObject({
    format: z.literal("gmc-dataset"),
    version: z.literal(1),
    name: z.string(),
    modalities: z
      .array(z.discriminatedUnion("kind", [FileModality, LabelModality]))
      .min(1)
      .readonly(),
    classes: z.array(z.string()).min(1).readonly().optional(),
    splits: z.record(Name, StoredSplit).readonly(),
    source: z.json().describe("Where the data came from and how it was made: anything, for people."),
    sha256: Sha256.describe("Of the manifest's content without this field, and so of every file's content."),
  })
  .readonly();

export type Manifest = z.infer<typeof Manifest>;
export type ModalityEntry = Manifest["modalities"][number];
export type FileModalityEntry = z.infer<typeof FileModality>;
export type FileEntry = z.infer<typeof StoredFile>;
export type SplitEntry = z.infer<typeof StoredSplit>;
export type ModalityStatistics = z.infer<typeof Statistics>;

/** One split's entry. @throws {DataError} that names the splits there are; `path` is the data set's name in it */
export function requireSplit(path: string, { splits }: Manifest, name: string): SplitEntry {
  const entry = splits[name];
  if (entry) return entry;
  const known = Object.keys(splits).map((known) => `"${known}"`);
  throw new DataError(`${path} has no split "${name}"; it has ${known.join(", ")}.`, { path, split: name });
}

/** All files of a data set, or of some of its splits, in the order of the manifest. */
export const filesOf = ({ splits }: Manifest, names: readonly string[] = Object.keys(splits)): FileEntry[] =>
  Object.entries(splits)
    .filter(([name]) => names.includes(name))
    .flatMap(([, { files, labels }]) => [...Object.values(files), ...(labels ? [labels] : [])]);

/** Sha256 (hex) of a manifest's content without its own `sha256`: of JSON with sorted keys and no white space. */
export function manifestSha256(content: Omit<Manifest, "sha256"> & { readonly sha256?: string }): string {
  const { sha256: _, ...rest } = content;
  return sha256OfJson(rest);
}

/**
 * The manifest that `text` holds.
 *
 * @param text   content of `manifest.json`
 * @param where  its path, for messages
 * @throws {DataError} when it is not JSON, not a manifest, contradicts itself, or was edited after it was written
 */
export function parseManifest(text: string, where: string): Manifest {
  const parsed = Manifest.safeParse(parseJson(text, where));
  if (!parsed.success)
    throw new DataError(`${where} is not a data set's manifest:\n${z.prettifyError(parsed.error)}`, { path: where });
  const manifest = parsed.data;
  checkFiles(manifest, where);
  const actual = manifestSha256(manifest);
  if (actual !== manifest.sha256) {
    throw new DataError(
      `${where} says its content has the sha256 ${manifest.sha256}, but it is ${actual}: it was edited or damaged. ` +
        "Build the data set again, or put the original manifest back.",
      { path: where, expected: manifest.sha256, received: actual },
    );
  }
  return manifest;
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DataError(`${where} is not JSON; build the data set again.`, { path: where }, { cause });
  }
}

/** Every split has one file for each modality that has files, and labels where there are classes. */
function checkFiles({ modalities, splits, classes }: Manifest, where: string): void {
  const names = modalities.map((modality) => modality.name);
  if (new Set(names).size < names.length)
    throw new DataError(`${where}: two modalities share a name (${names.join(", ")}).`);
  const withFiles = modalities.filter((modality) => modality.kind !== "label").map((modality) => modality.name);
  for (const [split, { files, labels }] of Object.entries(splits)) {
    const missing = withFiles.find((name) => !files[name]);
    if (missing) throw new DataError(`${where}: split "${split}" has no file for modality "${missing}".`);
    const unknown = Object.keys(files).find((name) => !withFiles.includes(name));
    if (unknown) throw new DataError(`${where}: split "${split}" has a file for "${unknown}", which is no modality.`);
    if (Boolean(labels) !== Boolean(classes)) {
      throw new DataError(
        `${where}: split "${split}" has ${labels ? "labels but no classes" : "classes but no labels"}.`,
      );
    }
  }
  const label = modalities.find((modality) => modality.kind === "label");
  if (label && label.shape[0] !== classes?.length) {
    throw new DataError(
      `${where}: label "${label.name}" has ${label.shape[0]} classes, the list has ${classes?.length ?? 0}.`,
    );
  }
}
