import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { duration, openStatus } from "./status.ts";

function recorded(isTTY: boolean, columns = 200) {
  const written: string[] = [];
  let time = 0;
  const status = openStatus({ isTTY, columns, write: (text) => written.push(text) }, () => time);
  const step = (done: number, atMs: number) => {
    time = atMs;
    status.update({ label: "Training", done, total: 100, detail: `loss ${done}`, samplesPerUnit: 64 });
  };
  return { written, status, step };
}

test("without a terminal a plain line comes about every 10 s, and the last state at the end", () => {
  const { written, status, step } = recorded(false);
  for (let done = 1; done <= 25; done++) step(done, done * 1000);
  status.end();
  expect(written).toEqual([
    "Training  1 %  loss 1\n",
    "Training  11 %  loss 11  64 samples/s  1 min 29 s left\n",
    "Training  21 %  loss 21  64 samples/s  1 min 19 s left\n",
    "Training  25 %  loss 25  64 samples/s  1 min 15 s left\n",
  ]);
});

test("on a terminal the line is redrawn in place, at most ten times a second, and never wider than the window", () => {
  const { written, status, step } = recorded(true, 30);
  for (let done = 1; done <= 30; done++) step(done, done * 20);
  status.end();
  expect(written.length).toBeLessThanOrEqual(9);
  for (const text of written.slice(0, -1)) {
    expect(text.startsWith("\r\u001b[2K")).toBe(true);
    expect(stripVTControlCharacters(text).trim().length).toBeLessThan(30);
  }
  expect(written.at(-1)).toBe("\n");
});

test("a note stands on a line of its own and the bar comes back below it", () => {
  const { written, status, step } = recorded(true);
  step(1, 0);
  status.note("careful");
  expect(written[1]).toBe("\r\u001b[2Kcareful\n");
  expect(written[2]).toContain("1 %");
});

test.each([
  [0.4, "0 s"],
  [59.6, "1 min 0 s"],
  [3599.6, "1 h 0 min"],
  [7322, "2 h 2 min"],
])("%d seconds read as %s", (seconds, text) => expect(duration(seconds)).toBe(text));
