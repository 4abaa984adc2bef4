import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CompiledModel, Replica } from "@gmc/core";
import { trainStep } from "@gmc/trainer";
import { InferenceSession } from "onnxruntime-node";
import type { NodeTime, ProfileEvent } from "../profile-events.ts";
import { nodeTimes } from "../profile-events.ts";
import { median } from "../statistics.ts";
import type { TrainingArguments } from "../training.ts";
import { openTraining, RULE } from "../training.ts";

export interface ProfileArguments extends TrainingArguments {
  readonly steps: number;
  readonly warmup: number;
}

const PHASES = ["forward", "loss", "backward", "update"] as const;
export type Phase = (typeof PHASES)[number];

export interface ProfileMeasure {
  /** Median milliseconds a step, seen from JavaScript; `loss` is all that is none of the others. */
  readonly phases: Readonly<Record<Phase | "step", number>>;
  readonly forward: readonly NodeTime[];
  readonly backward: readonly NodeTime[];
}

/**
 * The time of every node of a training step, by onnxruntime's own profiling. Its sessions are those that the engine opens
 * through onnxruntime-node, so whatever the engine does to its graphs is seen here.
 */
export async function measureProfile({ steps, warmup, ...setup }: ProfileArguments): Promise<ProfileMeasure> {
  const folder = mkdtempSync(join(tmpdir(), "gmc-profile-"));
  try {
    const sessions = profileSessions(folder);
    const clock = phaseClock();
    const training = await openTraining(
      { ...setup, engine: { ...setup.engine, runner: "onnxruntime-node" } },
      { watch: clock.watch },
    );
    for (let step = 0; step < warmup + steps; step++) {
      await clock.step(() => trainStep(training.context, training.batch(step), RULE));
    }
    for (const session of sessions) session.endProfiling();
    await training.close();
    const [forward, backward] = [false, true].map((isBackward) =>
      sessions.flatMap((session, i) =>
        isBackward === computesGradients(session) ? nodeTimes(readEvents(folder, i), steps) : [],
      ),
    );
    return { phases: clock.medians(steps), forward: forward ?? [], backward: backward ?? [] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Makes every session that is opened from now on write a profile; the list grows with them. */
function profileSessions(folder: string): InferenceSession[] {
  const sessions: InferenceSession[] = [];
  const create = InferenceSession.create.bind(InferenceSession) as (
    bytes: Uint8Array,
    options?: InferenceSession.SessionOptions,
  ) => Promise<InferenceSession>;
  const profiled = async (bytes: Uint8Array, options?: InferenceSession.SessionOptions) => {
    const profileFilePrefix = join(folder, `${sessions.length}-`);
    const session = await create(bytes, { ...options, enableProfiling: true, profileFilePrefix });
    sessions.push(session);
    return session;
  };
  Object.assign(InferenceSession, { create: profiled });
  return sessions;
}

const computesGradients = ({ outputNames }: InferenceSession): boolean =>
  outputNames.some((name) => name.startsWith("gradient/"));

function readEvents(folder: string, session: number): ProfileEvent[] {
  const file = readdirSync(folder).find((name) => name.startsWith(`${session}-`));
  if (!file) throw new Error(`onnxruntime wrote no profile of session ${session}.`);
  return JSON.parse(readFileSync(join(folder, file), "utf8"));
}

/** Measures the phases of a step from outside, around the replica's methods. */
function phaseClock() {
  const now: Record<Phase | "step", number> = { forward: 0, loss: 0, backward: 0, update: 0, step: 0 };
  const history: Record<Phase | "step", number>[] = [];
  const timed = async <T>(phase: Phase | "step", work: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    const result = await work();
    now[phase] += performance.now() - started;
    return result;
  };
  // The methods are replaced in place, so that whatever else a replica offers stays as it is.
  const watchModel = (compiled: CompiledModel): CompiledModel => {
    const forward = compiled.forward.bind(compiled);
    const backward = compiled.backward.bind(compiled);
    return Object.assign(compiled, {
      forward: (...args: Parameters<typeof forward>) => timed("forward", () => forward(...args)),
      backward: (...args: Parameters<typeof backward>) => timed("backward", () => backward(...args)),
    });
  };
  return {
    watch(replica: Replica): Replica {
      const compile = replica.compile.bind(replica);
      const update = replica.update.bind(replica);
      return Object.assign(replica, {
        compile: async (rows: number) => watchModel(await compile(rows)),
        update: (...args: Parameters<typeof update>) => timed("update", () => update(...args)),
      });
    },
    async step(work: () => Promise<unknown>): Promise<void> {
      await timed("step", work);
      history.push({ ...now, loss: now.step - now.forward - now.backward - now.update });
      for (const phase of [...PHASES, "step"] as const) now[phase] = 0;
    },
    medians(steps: number): Record<Phase | "step", number> {
      const last = history.slice(-steps);
      const of = (phase: Phase | "step") => median(last.map((times) => times[phase]));
      return {
        forward: of("forward"),
        loss: of("loss"),
        backward: of("backward"),
        update: of("update"),
        step: of("step"),
      };
    },
  };
}
