import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

const conditions = ["@gmc/source", ...defaultServerConditions];
const common = { resolve: { conditions }, ssr: { resolve: { conditions } } };
/** One project a suite: `unit` beside the code, `system` for two packages or more, `full` needs services, `soak` is run by hand. */
const project = (name: string, include: string[], testTimeout: number, hookTimeout = testTimeout) => ({
  ...common,
  test: { name, include, testTimeout, hookTimeout },
});

export default defineConfig({
  ...common,
  test: {
    projects: [
      project("unit", ["packages/*/src/**/*.test.ts", "bench/src/**/*.test.ts"], 30_000),
      project("system", ["test/{contract,numerics,e2e}/**/*.test.ts", "test/*.test.ts"], 240_000),
      project("full", ["test/full/**/*.test.ts"], 180_000, 600_000), // images are built in a hook
      project("soak", ["test/soak/**/*.test.ts"], 3_600_000),
    ],
    reporters: ["default"],
  },
});
