import { expect, test } from "vitest";
import { workFolder } from "../e2e/gmc.ts";
import { killAndResume, wholeRun } from "../e2e/killed-run.ts";

const ROUNDS = 60;

test("wherever a run is killed, it goes on and ends with the weights of one that was not", async () => {
  const folder = workFolder();
  try {
    const whole = await wholeRun(folder.path);
    let killed = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const ms = Math.round(Math.random() * 2000); // every run of the soak tries other moments; a failure names its own
      const after = round % 3 === 0 ? {} : { after: /epoch 1\/10 / };
      const ended = await killAndResume(folder.path, `runs/${round}`, { ...after, ms: round % 3 === 0 ? ms : ms / 2 });
      expect(ended.record.weightsSha256, `killed ${ms} ms, round ${round}`).toBe(whole.weightsSha256);
      killed += Number(ended.killed);
    }
    expect(killed).toBeGreaterThan(ROUNDS / 3);
  } finally {
    folder.close();
  }
});
