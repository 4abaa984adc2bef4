import { UsageError } from "@gmc/core";
import type { RunConfig, RunRecord } from "@gmc/experiment";
import { loadRunConfig, trainRun } from "@gmc/experiment";
import { Command } from "commander";
import { redisOption, redisUrl, reduceRedisOption } from "../cluster/redis-options.ts";
import { trainOnCluster } from "../cluster/train-on-cluster.ts";
import { groupText } from "../cluster/watch-run.ts";
import { defaultRunFolder, readConfigFile } from "../config-file.ts";
import type { Context } from "../context.ts";
import { fieldHelp } from "../field-help.ts";
import { integer } from "../options.ts";
import { showProgress } from "../progress.ts";
import { duration } from "../status.ts";
import { grouped } from "../text-table.ts";

interface TrainOptions {
  readonly out?: string;
  readonly resume?: boolean;
  readonly seed?: number;
  readonly name?: string;
  readonly workers?: number;
  readonly redis?: string;
  readonly reduceRedis?: readonly string[];
}

/** `gmc train CONFIG`: a whole training run in a folder of its own. */
export const trainCommand = (context: Context): Command =>
  new Command("train")
    .description("Train the model that a YAML file describes.")
    .argument("[config]", "the run's YAML; with --resume the run's own is the default")
    .option("--out <run>", "the run's folder, new or (with --resume) existing; default: runs/<name>-<time>")
    .option("--resume", "go on from the last checkpoint in --out, with the same bits as if it had never stopped")
    .option("--seed <n>", "the seed, as in the file", integer(0))
    .option("--name <text>", "the run's name, as in the file")
    .option("--workers <n>", "train on so many worker processes through Redis, to the same bits", integer(1))
    .addOption(redisOption())
    .addOption(reduceRedisOption())
    .addHelpText("after", () => `${EXAMPLES}\n${fieldHelp()}`)
    .action((file: string | undefined, options: TrainOptions, command: Command) => {
      const distributed = options.workers !== undefined || command.getOptionValueSource("redis") === "cli";
      return train(context, file, options, distributed);
    });

async function train(
  context: Context,
  file: string | undefined,
  options: TrainOptions,
  distributed: boolean,
): Promise<void> {
  const config = await effectiveConfig(context, file, options);
  const out = options.out ?? defaultRunFolder(config, file ?? "run", new Date());
  if (options.out === undefined) context.output.say(`The run goes to ${out}`);
  const record = await (distributed ? onCluster : inThisProcess)(context, { ...options, config, out });
  context.status.end();
  const stopped = record.status === "stopped";
  if (stopped) context.exit(130);
  context.output.result(record, stopped ? stoppedText(record) : finishedText(record));
  if (stopped && context.output.json) context.output.say(stoppedText(record));
}

type Training = TrainOptions & { readonly config: RunConfig; readonly out: string };

const inThisProcess = (context: Context, { config, out, resume = false }: Training): Promise<RunRecord> =>
  trainRun({
    config,
    out,
    resume,
    signal: context.signal,
    logger: context.logger,
    onProgress: showProgress(context.status),
  });

const onCluster = async (
  context: Context,
  { config, out, resume = false, workers, redis, reduceRedis = [] }: Training,
) =>
  trainOnCluster(context, {
    config,
    out,
    resume,
    ...(workers !== undefined && { workers }),
    ...(redis !== undefined && { redis: await redisUrl(redis) }),
    reduceRedis,
  });

async function effectiveConfig(context: Context, file: string | undefined, options: TrainOptions): Promise<RunConfig> {
  const { seed, name } = options;
  const overrides = [
    ...context.overrides,
    ...(seed === undefined ? [] : [["seed", seed] as const]),
    ...(name === undefined ? [] : [["name", name] as const]),
  ];
  if (file !== undefined) return readConfigFile(file, overrides);
  if (options.resume && options.out !== undefined) return loadRunConfig(options.out, overrides);
  const message = options.resume
    ? "gmc train --resume: name the run to go on with, --out RUN."
    : "gmc train: name a config file, for instance examples/demo.yaml.";
  throw new UsageError(message);
}

const finishedText = (record: RunRecord): string =>
  `
Trained ${record.epochs} epochs (${grouped(record.steps)} steps) in ${duration(record.wallSeconds)}, ${grouped(Math.round(record.samplesPerSecond))} samples/s; mean loss of the last epoch ${record.finalLoss?.toFixed(3) ?? "unknown"}${record.status === "early-stopped" ? " (stopped early: no lower loss)" : ""}.
${groupLine(record)}Run      ${record.run}
Weights  sha256 ${record.weightsSha256}
Next     gmc evaluate ${record.run}
`.trim();

function groupLine(record: RunRecord): string {
  const text = groupText(record);
  return text === "" ? "" : `Group    ${text}\n`;
}

const stoppedText = (record: RunRecord): string =>
  `Stopped after ${grouped(record.steps)} steps; a checkpoint is in ${record.run}. Go on with: gmc train --resume --out ${record.run}`;

const EXAMPLES = `
Every value of the file can be given as a flag by its path: --training.batchSize 128 --training.schedule.kind cosine

Examples:
  gmc train examples/demo.yaml --data.path data/synth --training.epochs 2 --training.shards 2 --seed 3 --out runs/a --json
  gmc train examples/mhd.yaml --data.path data/digits --training.epochs 5
  gmc train examples/mhd.yaml --data.path data/digits --training.shards 4 --workers 2
  gmc train examples/mhd.yaml --data.path data/digits --training.shards 4 --redis redis://:secret@host
  gmc train --resume --out runs/a                               after Ctrl-C or a crash
  gmc train --resume --out runs/a --training.epochs 20          further than first asked for
`;
