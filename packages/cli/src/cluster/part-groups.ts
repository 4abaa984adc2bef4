import type { Kept, Part } from "./keep-running.ts";
import { keepRunning } from "./keep-running.ts";

/** A part by name, and how it is started, also again. */
export interface Startable<P extends Part = Part> {
  readonly name: string;
  start(): Promise<P>;
  /** How it is started once it has died; default as the first time. */
  again?(first: P): Promise<P>;
}

/** Parts in groups: the members of one start and end together, the groups end in the reverse order of their starts. */
export class PartGroups {
  /** Rejects when a part is given up; never resolves. */
  readonly failed: Promise<never>;
  readonly #groups: Kept[][] = [];
  readonly #say: (line: string) => void;
  #fail: (error: unknown) => void = () => {};

  /** @param say  told in one line when a part died and is started again */
  constructor(say: (line: string) => void) {
    this.#say = say;
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {}); // whoever waits for it hears of it
  }

  /** Starts parts side by side. @throws what the first that fails throws; those that did start are closed with the others */
  async add<P extends Part>(parts: readonly Startable<P>[]): Promise<readonly P[]> {
    const group: Kept[] = [];
    this.#groups.push(group);
    const started = await Promise.allSettled(
      parts.map(async (part) => {
        const first = await part.start();
        group.push(this.#keep(part, first));
        return first;
      }),
    );
    return started.map((outcome) => {
      if (outcome.status === "rejected") throw outcome.reason;
      return outcome.value;
    });
  }

  async close(): Promise<void> {
    for (const group of this.#groups.splice(0).reverse()) await Promise.all(group.map((kept) => kept.close()));
  }

  #keep<P extends Part>({ name, start, again = start }: Startable<P>, first: P): Kept {
    const kept = keepRunning(name, first, () => again(first), {
      onDeath: (words) => this.#say(`${name} ${words.split("\n")[0]}; it is started again`),
    });
    kept.failed.catch(this.#fail);
    return kept;
  }
}
