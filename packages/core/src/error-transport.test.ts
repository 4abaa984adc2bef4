import { expect, test } from "vitest";
import { decodeError, encodeError } from "./error-transport.ts";
import {
  ConfigError,
  DataError,
  DivergenceError,
  GmcError,
  PeerLostError,
  ShapeError,
  StaleGenerationError,
} from "./errors.ts";

test.each([
  new DataError("sound.npy is missing", { path: "sound.npy" }),
  new ConfigError("batchSize 0", { path: "training.batchSize" }),
  new ShapeError("image", [28, 28, 1], [32, 32]),
  new PeerLostError(2, 4999.6),
  new StaleGenerationError("7-ab", "8-cd"),
  new StaleGenerationError("7-ab", null),
  new DivergenceError("rank 1", { step: 3 }),
])("$name keeps class, code, message and details through a structured clone", (error) => {
  const back = decodeError(structuredClone(encodeError(error)));
  expect(back).toBeInstanceOf(error.constructor);
  expect(back.message).toBe(error.message);
  expect(back).toMatchObject({ code: error.code, name: error.name, details: error.details });
});

test("a system error keeps its code and is not taken for one of ours", () => {
  const back = decodeError(encodeError(Object.assign(new Error("no such file"), { code: "ENOENT" })));
  expect(back).not.toBeInstanceOf(GmcError);
  expect(back).toMatchObject({ code: "ENOENT", message: "no such file" });
});

test("a thrown string becomes an error with that message", () => {
  expect(decodeError(encodeError("boom"))).toMatchObject({ code: "ERR_UNKNOWN", message: "boom" });
});
