import { expect, test } from "vitest";
import { clusterKeys } from "./cluster-keys.ts";

test("keys of workers carry their id, and an id that could be another key is refused", () => {
  expect(clusterKeys.worker("host-12.a_b")).toBe("gmc:worker:host-12.a_b");
  expect(clusterKeys.assignment("w1")).toBe("gmc:worker:w1:assignment");
  for (const id of ["", "a:b", "w1:assignment", " w", "-w", "w".repeat(129)]) {
    expect(() => clusterKeys.worker(id)).toThrow(RangeError);
    expect(() => clusterKeys.assignment(id)).toThrow(RangeError);
  }
});
