import { EnvironmentError } from "@gmc/core";
import { classifierModel } from "@gmc/models";
import { expect, test } from "vitest";
import { EngineConfig } from "./config.ts";
import { findDevices } from "./devices.ts";
import { openReplica } from "./replica.ts";

// In a file of its own: Vulkan of this process finds no driver, whatever the machine has.
process.env.VK_ICD_FILENAMES = process.env.VK_DRIVER_FILES = "/nowhere/driver.json";

const model = classifierModel({ inputDim: 6, widths: [5], classes: 3 });
const onLinux = process.platform === "linux";

test.runIf(onLinux).each(["auto", "c-api", "onnxruntime-node"])(
  "without a graphics driver the %s runner's error names what was looked for and what to do",
  async (runner) => {
    const opening = openReplica(model, EngineConfig.parse({ device: "webgpu", runner }));
    await expect(opening).rejects.toThrow(EnvironmentError);
    await expect(opening).rejects.toThrow(/engine.device is "webgpu".*WebGpuExecutionProvider/);
    await expect(opening).rejects.toThrow(/icd\.d.*VK_ICD_FILENAMES.*graphics cards.*\/dev\/dri/);
    await expect(opening).rejects.toThrow(/set engine.device to "cpu"/);
  },
);

test.runIf(onLinux)("auto takes the CPU then, and the log says so", async () => {
  const events: unknown[] = [];
  const logger = { info: (event: string, fields?: object) => events.push({ event, ...fields }), warn() {} };
  const replica = await openReplica(model, EngineConfig.parse({ device: "auto" }), logger);
  expect(replica.device).toEqual({ kind: "cpu" });
  expect(events).toEqual([{ event: "engine.device", wanted: "auto", kind: "cpu" }]);
  await replica.close();
});

test.runIf(onLinux)("devices that do not work are found with their problem", async () => {
  const webgpu = (await findDevices()).find(({ device }) => device === "webgpu");
  expect(webgpu).toMatchObject({ works: false, adapters: [] });
  expect(webgpu?.problem?.reason).toMatch(/no Vulkan driver/);
  expect(webgpu?.problem?.lookedFor.join()).toMatch(/icd\.d/);
});
