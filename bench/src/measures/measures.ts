import { measureGradient } from "./gradient.ts";
import { measureMember } from "./member.ts";
import { measureMemory } from "./memory.ts";
import { measureProfile } from "./profile.ts";
import { measureReduce } from "./reduce.ts";
import { measureStep } from "./step.ts";
import { measureWorker } from "./worker.ts";

/** What runs in a process of its own, by name. */
export const measures = {
  gradient: measureGradient,
  member: measureMember,
  memory: measureMemory,
  profile: measureProfile,
  reduce: measureReduce,
  step: measureStep,
  worker: measureWorker,
};

export type Measures = typeof measures;
