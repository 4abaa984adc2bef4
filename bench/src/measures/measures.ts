import { measureGradient } from "./gradient.ts";
import { measureMemory } from "./memory.ts";
import { measureProfile } from "./profile.ts";
import { measureStep } from "./step.ts";

/** What runs in a process of its own, by name. */
export const measures = {
  gradient: measureGradient,
  memory: measureMemory,
  profile: measureProfile,
  step: measureStep,
};

export type Measures = typeof measures;
