import { readFile } from "node:fs/promises";
import { ConfigError } from "@gmc/core";
import { LineCounter, parseDocument } from "yaml";
import { z } from "zod";

const Name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, "expected letters, digits, - and _");
const Path = z.string().min(1).describe("Relative to the YAML file; {split} stands for the split's name.");
const Fraction = z.number().gt(0).lt(1);
const Range = z.tuple([z.int().nonnegative(), z.int().positive()]);

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return text.includes("(");
  } catch {
    return false;
  }
}

/** What every modality of numbers may say. */
const numbers = {
  kind: z.enum(["image", "spectrogram", "vector"]).optional().describe("Default: by the shape of a sample."),
  shape: z.array(z.int().positive()).min(1).optional().describe("Of one sample, when the file has it flat."),
  channels: z.enum(["first", "last"]).default("last").describe("Where the file has an image's channels."),
  scale: z
    .number()
    .optional()
    .describe("A number v means v·scale + offset. Default: 1/255 for images of bytes, else 1."),
  offset: z.number().default(0),
  display: z.enum(["trajectory"]).optional().describe("trajectory: the vector is x0, y0, x1, y1, … of a pen, y up."),
};

/** Paths of single files instead of a whole folder. */
const FileList = z
  .strictObject({ file: Path, column: z.string().min(1) })
  .describe("csv column of file names inside the folder, one a sample; default: every file, by name.");

const ModalitySource = z.discriminatedUnion("format", [
  z.strictObject({ format: z.literal("npy"), file: Path, ...numbers }),
  z.strictObject({ format: z.literal("npz"), file: Path, key: z.string().min(1), ...numbers }),
  z.strictObject({ format: z.literal("idx"), file: Path, ...numbers }),
  z.strictObject({
    format: z.literal("csv"),
    file: Path,
    columns: z.array(z.string()).min(1).optional().describe("Default: all that are not labels or splits."),
    ...numbers,
  }),
  z.strictObject({
    format: z.literal("images"),
    folder: Path,
    list: FileList.optional(),
    height: z.int().positive(),
    width: z.int().positive(),
    channels: z
      .union([z.literal(1), z.literal(3)])
      .default(3)
      .describe("1: grey, 3: colour."),
  }),
  z.strictObject({
    format: z.literal("wav"),
    folder: Path,
    list: FileList.optional(),
    features: z.enum(["log-mel", "raw"]).default("log-mel"),
    sampleRate: z.int().positive().default(8000).describe("Hz; recordings at another rate are refused."),
    length: z.int().positive().default(8192).describe("Samples used: longer ones are cut, shorter padded with zeros."),
    padding: z.int().nonnegative().default(128),
    frame: z.int().positive().default(512),
    hop: z.int().positive().default(256),
    fft: z.int().positive().default(1024).describe("A power of two, at least frame."),
    bands: z.int().positive().default(128),
    lowest: z.number().nonnegative().default(0).describe("Hz"),
    highest: z.number().positive().optional().describe("Hz; default: half the sample rate."),
    rangeDb: z.number().positive().default(80),
  }),
  z.strictObject({ format: z.literal("label") }).describe("The label as a modality, one-hot."),
]);

const LabelSource = z.discriminatedUnion("format", [
  z.strictObject({ format: z.literal("npy"), file: Path, classes: z.array(z.string()).optional() }),
  z.strictObject({ format: z.literal("npz"), file: Path, key: z.string(), classes: z.array(z.string()).optional() }),
  z.strictObject({ format: z.literal("idx"), file: Path, classes: z.array(z.string()).optional() }),
  z.strictObject({ format: z.literal("csv"), file: Path, column: z.string(), classes: z.array(z.string()).optional() }),
  z.strictObject({
    format: z.literal("names"),
    modality: Name.describe("A modality of files."),
    pattern: z
      .string()
      .refine(isPattern, "not a regular expression with a group")
      .optional()
      .describe("Its first group is the label. Default: the name of the file's folder."),
    classes: z.array(z.string()).optional(),
  }),
]);

const SplitPlan = z
  .strictObject({
    files: z.array(Name).min(1).optional().describe("Splits in files of their own: {split} in every path."),
    draw: z.record(Name, Fraction).optional().describe("Fraction of the samples for each split but the rest."),
    rows: z.record(Name, Range).optional().describe("[start, end) of each split; rows in none are left out."),
    column: z.strictObject({ file: Path, column: z.string() }).optional().describe("csv column of split names."),
    rest: Name.default("train").describe("With draw: the split of what is not drawn."),
    seed: z.int().nonnegative().default(0).describe("With draw."),
  })
  .refine(({ files, draw, rows, column }) => [files, draw, rows, column].filter(Boolean).length < 2, {
    error: "give one of files, draw, rows and column",
  });

/** What an import's YAML file says. */
export const ImportConfig = z
  .strictObject({
    name: z.string().min(1),
    modalities: z
      .record(Name, ModalitySource)
      .refine((all) => Object.keys(all).length > 0, "name at least one modality"),
    labels: LabelSource.optional(),
    splits: SplitPlan.prefault({}).describe("Default: everything in train."),
  })
  .readonly();

export type ImportConfig = z.infer<typeof ImportConfig>;
export type ModalitySource = z.infer<typeof ModalitySource>;
export type LabelSource = z.infer<typeof LabelSource>;
export type SplitPlan = z.infer<typeof SplitPlan>;
/** A modality that is read from files. */
export type FileSource = Exclude<ModalitySource, { readonly format: "label" }>;

/** The import that a YAML file describes. @throws {ConfigError} naming file, line and key */
export async function readImportConfig(path: string): Promise<ImportConfig> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new ConfigError(`${path} cannot be read: ${(cause as Error).message}`, { path }, { cause });
  });
  return parseImportConfig(text, path);
}

/** The same from text in memory; `name` is for messages. */
export function parseImportConfig(text: string, name: string): ImportConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [broken] = document.errors;
  if (broken) {
    const line = broken.linePos?.[0].line ?? 1;
    throw new ConfigError(`${name}:${line}: ${broken.message.split("\n")[0]}`, { path: name, line }, { cause: broken });
  }
  const parsed = ImportConfig.safeParse(document.toJS());
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const at = lineOf(document, issue.path, lines);
    const key = issue.path.join(".");
    return `${name}:${at}: ${key === "" ? "" : `${key}: `}${issue.message}`;
  });
  throw new ConfigError(problems.join("\n"), { path: name, key: parsed.error.issues[0]?.path.join(".") });
}

/** Line of the value at a path, or of the nearest one above it that is there. */
function lineOf(document: ReturnType<typeof parseDocument>, path: readonly PropertyKey[], lines: LineCounter): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    const range = typeof node === "object" && node !== null && "range" in node ? node.range : undefined;
    if (Array.isArray(range)) return lines.linePos(Number(range[0])).line;
  }
  return 1;
}
