import { EnvironmentError } from "@gmc/core";
import { expect, test } from "vitest";
import type { Part } from "./keep-running.ts";
import { keepRunning } from "./keep-running.ts";

/** A part whose death a test decides. */
function mortal(): Part & { die(words: string): void; readonly closed: boolean } {
  let die: (words: string) => void = () => {};
  let closed = false;
  const ended = new Promise<string>((resolve) => {
    die = resolve;
  });
  return {
    ended,
    die: (words) => die(words),
    get closed() {
      return closed;
    },
    async close() {
      closed = true;
      die("closed");
    },
  };
}

test("what dies is started again, and close ends the one that runs", async () => {
  const first = mortal();
  const second = mortal();
  const deaths: string[] = [];
  let started: () => void = () => {};
  const again = new Promise<void>((resolve) => {
    started = resolve;
  });
  const kept = keepRunning(
    "worker 1",
    first,
    async () => {
      started();
      return second;
    },
    { onDeath: (words) => deaths.push(words), pauseMs: 1 },
  );
  first.die("out of memory");
  await again;
  await kept.close();
  expect(deaths).toEqual(["out of memory"]);
  expect(second.closed).toBe(true);
});

test("what dies again and again is given up, a start that fails counts too", async () => {
  const first = mortal();
  let starts = 0;
  const again = async (): Promise<Part> => {
    starts++;
    throw new Error("no memory");
  };
  const kept = keepRunning("worker 1", first, again, { attempts: 3, pauseMs: 1 });
  first.die("out of memory");
  await expect(kept.failed).rejects.toThrow(EnvironmentError);
  await expect(kept.failed).rejects.toThrow("worker 1 died 3 times in a row: no memory");
  expect(starts).toBe(2);
  await kept.close();
});

test("after a steady time deaths are counted anew", async () => {
  let current = mortal();
  const lives: (typeof current)[] = [current];
  const kept = keepRunning(
    "coordinator",
    current,
    async () => {
      current = mortal();
      lives.push(current);
      return current;
    },
    { attempts: 2, steadyMs: 5, pauseMs: 1 },
  );
  for (let i = 1; i <= 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(lives).toHaveLength(i);
    current.die("restarted by hand");
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(lives).toHaveLength(5);
  await kept.close();
});

test("one that comes up while its keeper is being closed is closed too", async () => {
  const first = mortal();
  const late = mortal();
  let release: (part: Part) => void = () => {};
  let asked: () => void = () => {};
  const starting = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const kept = keepRunning(
    "worker 1",
    first,
    () => {
      asked();
      return new Promise((resolve) => {
        release = resolve;
      });
    },
    { pauseMs: 1 },
  );
  first.die("killed");
  await starting;
  const closed = kept.close();
  release(late);
  await closed;
  expect(late.closed).toBe(true);
});
