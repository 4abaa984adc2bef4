import type { FileHandle } from "node:fs/promises";

type Files = typeof import("node:fs/promises");

/** Calls of the file system that a process has left before it "dies". */
export interface Power {
  callsLeft: number;
}

/**
 * `node:fs/promises` of a process that can die between any two calls: once `power.callsLeft` is used up, every call fails
 * and does nothing. What closes a file is not counted. For `vi.mock`.
 *
 * @param files  the real module
 */
export function mortalFiles(files: Files, power: Power): Files {
  const spend = (): void => {
    if (power.callsLeft <= 0) throw new Error("killed");
    power.callsLeft--;
  };
  const mortal = <O extends object>(target: O): O =>
    new Proxy(target, {
      get(object, name) {
        const value = Reflect.get(object, name) as unknown;
        if (typeof value !== "function" || name === "constructor") return value;
        return (...args: unknown[]) => {
          if (name !== "close") spend();
          if (name === "sync") return Promise.resolve(); // counted, not done: a killed process loses nothing by it
          return Reflect.apply(value, object, args) as unknown;
        };
      },
    });
  const open = async (...args: Parameters<typeof files.open>): Promise<FileHandle> => {
    spend();
    return mortal(await files.open(...args));
  };
  const call =
    (name: string) =>
    async (...args: unknown[]) =>
      Reflect.get(mortal(files), name)(...args) as unknown;
  return {
    ...files,
    ...Object.fromEntries(["mkdir", "readdir", "rename", "rm"].map((name) => [name, call(name)])),
    open,
  };
}
