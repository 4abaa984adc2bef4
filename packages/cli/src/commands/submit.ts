import { datasetExists } from "@gmc/data";
import type { Judgement, RunConfig } from "@gmc/experiment";
import { JUDGEMENTS, modelOfConfig } from "@gmc/experiment";
import { submitTrain } from "@gmc/jobs";
import { Command, InvalidArgumentError } from "commander";
import { redisOption } from "../cluster/redis-options.ts";
import { tellIdle } from "../cluster/tell-idle.ts";
import { withQueue } from "../cluster/with-queue.ts";
import { defaultRunFolder, readConfigFile } from "../config-file.ts";
import type { Context } from "../context.ts";
import { integer, names } from "../options.ts";

interface SubmitFlags {
  readonly redis?: string;
  readonly out?: string;
  readonly name?: string;
  readonly seed?: number;
  readonly priority?: number;
  readonly workers?: { readonly min: number; readonly max: number };
  readonly after?: string;
  readonly evaluate?: true | readonly Judgement[];
  readonly resume?: true;
}

/** `gmc submit CONFIG`: a run into a cluster's queue. */
export const submitCommand = (context: Context): Command =>
  new Command("submit")
    .description("Put a run into a cluster's queue and give its job's id; a mistake in the config shows at once.")
    .argument("<config>", "the run's YAML")
    .addOption(redisOption())
    .option("--out <run>", "the run's folder, as the workers see it; default: runs/<name>-<time>")
    .option("--name <text>", "what the job and the run are called")
    .option("--seed <n>", "the seed, as in the file", integer(0))
    .option("--priority <n>", "lower is earlier, from 1; default: after all that have one", integer(1))
    .option("--workers <min..max>", "how many it begins with, and takes at most; default: 1 to one a shard", range)
    .option("--after <job>", "begins when that one has finished")
    .option(
      "--evaluate [what]",
      "find out about the run when it is trained: evaluation (default), alignment, or both",
      judgements,
    )
    .option("--resume", "go on from the last checkpoint in --out")
    .addHelpText("after", EXAMPLES)
    .action((file: string, flags: SubmitFlags) => submit(context, file, flags));

async function submit(context: Context, file: string, flags: SubmitFlags): Promise<void> {
  const { redis, priority, workers, after, evaluate, resume, name, seed } = flags;
  const config = await readConfigFile(file, [
    ...context.overrides,
    ...(name === undefined ? [] : [["name", name] as const]),
    ...(seed === undefined ? [] : [["seed", seed] as const]),
  ]);
  await checkModel(config);
  const out = flags.out ?? defaultRunFolder(config, file, new Date());
  const job = await withQueue(context, redis, async (queue) => {
    await tellIdle(context, queue);
    return submitTrain(queue, {
      config,
      out,
      ...(resume && { resume }),
      ...(priority !== undefined && { priority }),
      ...(workers && { workers }),
      ...(after !== undefined && { after }),
      ...(evaluate && { evaluate: evaluate === true ? ["evaluation"] : evaluate }),
    });
  });
  context.output.result({ job, out }, `${job}\nThe run goes to ${out}. Follow it: gmc watch ${job}`);
}

/** What contradicts the data shows here, where the data is at hand. */
async function checkModel(config: RunConfig): Promise<void> {
  if (await datasetExists(config.data.path).catch(() => false)) await modelOfConfig(config);
}

/** "2", "1..4" */
export function range(text: string): { readonly min: number; readonly max: number } {
  const [, min, max = min] = /^(\d+)(?:\.\.(\d+))?$/.exec(text.trim()) ?? [];
  if (min !== undefined && Number(min) >= 1 && Number(max) >= Number(min))
    return { min: Number(min), max: Number(max) };
  throw new InvalidArgumentError("Expected a number of workers, or MIN..MAX, for instance 1..4.");
}

function judgements(text: string): readonly Judgement[] {
  return names(text).map((name) => {
    const known = JUDGEMENTS.find((one) => one === name);
    if (known) return known;
    throw new InvalidArgumentError(`Expected ${JUDGEMENTS.join(" or ")}, or both with a comma between.`);
  });
}

const EXAMPLES = `
Values of the config can be given as flags: --training.batchSize 128. Relative paths start at each worker's folder.

Examples:
  gmc submit examples/demo.yaml --evaluate
  gmc submit examples/mhd.yaml --training.shards 4 --workers 2..4 --redis redis://:secret@host --json
  gmc submit second.yaml --after mhd-1a2b3c4d
`;
