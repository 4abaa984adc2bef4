import { expect, test } from "vitest";
import { Wake } from "./wake.ts";

const timed = async (wait: Promise<void>): Promise<number> => {
  const began = performance.now();
  await wait;
  return performance.now() - began;
};

test("a wait ends after its time, when it is woken, and when the signal fires", async () => {
  expect(await timed(new Wake().wait(30))).toBeGreaterThan(25);
  const wake = new Wake();
  const waiting = timed(wake.wait(20_000));
  wake.wake();
  expect(await waiting).toBeLessThan(10_000);
  const stop = new AbortController();
  const stopped = timed(new Wake().wait(20_000, stop.signal));
  stop.abort();
  expect(await stopped).toBeLessThan(10_000);
});

test("what was woken before it waits does not wait, once", async () => {
  const wake = new Wake();
  wake.wake();
  wake.wake();
  expect(await timed(wake.wait(20_000))).toBeLessThan(10_000);
  expect(await timed(wake.wait(30))).toBeGreaterThan(25);
});
