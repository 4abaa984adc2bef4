import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { EnvironmentError } from "@gmc/core";
import { disableTelemetry } from "./telemetry.ts";

export type Koffi = typeof import("koffi").default;

/** An address in native memory; 0n or null points nowhere. */
export type Pointer = bigint | null;
/** Where native code reads or writes: an address, or memory of ours for the length of the call. */
type Memory = Pointer | NodeJS.TypedArray;
/** What most functions return: null when all went well, else an OrtStatus to read and release. */
type Status = Pointer;

/** A native function: called on this thread, or by `async` on a thread of libuv's pool. */
interface NativeFunction<Arguments extends readonly unknown[], Result> {
  (...args: Arguments): Result;
  async(...args: [...Arguments, (error: Error | null, result: Result) => void]): void;
}

/** The functions of onnxruntime's C API that we call, named and typed as in `onnxruntime_c_api.h`. */
export interface OrtApi {
  readonly GetErrorMessage: NativeFunction<[status: Status], string>;
  readonly ReleaseStatus: NativeFunction<[status: Status], void>;
  readonly CreateThreadingOptions: NativeFunction<[out: Memory], Status>;
  readonly SetGlobalIntraOpNumThreads: NativeFunction<[options: Pointer, threads: number], Status>;
  readonly SetGlobalInterOpNumThreads: NativeFunction<[options: Pointer, threads: number], Status>;
  readonly ReleaseThreadingOptions: NativeFunction<[options: Pointer], void>;
  readonly CreateEnvWithGlobalThreadPools: NativeFunction<
    [level: number, id: string, options: Pointer, out: Memory],
    Status
  >;
  readonly ReleaseEnv: NativeFunction<[env: Pointer], void>;
  readonly CreateSessionOptions: NativeFunction<[out: Memory], Status>;
  readonly SetSessionGraphOptimizationLevel: NativeFunction<[options: Pointer, level: number], Status>;
  readonly SetIntraOpNumThreads: NativeFunction<[options: Pointer, threads: number], Status>;
  readonly DisablePerSessionThreads: NativeFunction<[options: Pointer], Status>;
  readonly AddSessionConfigEntry: NativeFunction<[options: Pointer, key: string, value: string], Status>;
  readonly SessionOptionsAppendExecutionProvider: NativeFunction<
    [options: Pointer, provider: string, keys: Memory, values: Memory, count: number],
    Status
  >;
  readonly CreateCUDAProviderOptions: NativeFunction<[out: Memory], Status>;
  readonly SessionOptionsAppendExecutionProvider_CUDA_V2: NativeFunction<[options: Pointer, cuda: Pointer], Status>;
  readonly ReleaseCUDAProviderOptions: NativeFunction<[cuda: Pointer], void>;
  readonly ReleaseSessionOptions: NativeFunction<[options: Pointer], void>;
  readonly CreateSessionFromArray: NativeFunction<
    [env: Pointer, model: Memory, bytes: number, options: Pointer, out: Memory],
    Status
  >;
  readonly ReleaseSession: NativeFunction<[session: Pointer], void>;
  readonly CreateMemoryInfo: NativeFunction<
    [name: string, allocator: number, device: number, memory: number, out: Memory],
    Status
  >;
  readonly CreateCpuMemoryInfo: NativeFunction<[allocator: number, memory: number, out: Memory], Status>;
  readonly ReleaseMemoryInfo: NativeFunction<[info: Pointer], void>;
  readonly CreateTensorWithDataAsOrtValue: NativeFunction<
    [info: Pointer, data: Memory, bytes: number, shape: Memory, axes: number, type: number, out: Memory],
    Status
  >;
  readonly CreateAllocator: NativeFunction<[session: Pointer, info: Pointer, out: Memory], Status>;
  readonly ReleaseAllocator: NativeFunction<[allocator: Pointer], void>;
  readonly CreateTensorAsOrtValue: NativeFunction<
    [allocator: Pointer, shape: Memory, axes: number, type: number, out: Memory],
    Status
  >;
  readonly ReleaseValue: NativeFunction<[value: Pointer], void>;
  readonly Run: NativeFunction<
    [
      session: Pointer,
      options: Pointer,
      inputNames: Memory,
      inputs: Memory,
      inputCount: number,
      outputNames: Memory,
      outputCount: number,
      outputs: Memory,
    ],
    Status
  >;
  readonly Session_GetEpGraphAssignmentInfo: NativeFunction<
    [session: Pointer, subgraphs: Memory, count: Memory],
    Status
  >;
  readonly EpAssignedSubgraph_GetEpName: NativeFunction<[subgraph: Pointer, out: Memory], Status>;
  readonly EpAssignedSubgraph_GetNodes: NativeFunction<[subgraph: Pointer, nodes: Memory, count: Memory], Status>;
  readonly EpAssignedNode_GetOperatorType: NativeFunction<[node: Pointer, out: Memory], Status>;
}

/** Place in the OrtApi struct, result and arguments. The struct only ever grows at its end: a place is for ever. */
const FUNCTIONS: Readonly<Record<keyof OrtApi, readonly [place: number, result: string, args: readonly string[]]>> = {
  GetErrorMessage: [2, "str", ["void *"]],
  CreateSessionFromArray: [8, "void *", ["void *", "void *", "size_t", "void *", "void *"]],
  Run: [9, "void *", ["void *", "void *", "void *", "void *", "size_t", "void *", "size_t", "void *"]],
  CreateSessionOptions: [10, "void *", ["void *"]],
  SetSessionGraphOptimizationLevel: [23, "void *", ["void *", "int"]],
  SetIntraOpNumThreads: [24, "void *", ["void *", "int"]],
  CreateTensorAsOrtValue: [48, "void *", ["void *", "void *", "size_t", "int", "void *"]],
  CreateTensorWithDataAsOrtValue: [49, "void *", ["void *", "void *", "size_t", "void *", "size_t", "int", "void *"]],
  CreateMemoryInfo: [68, "void *", ["str", "int", "int", "int", "void *"]],
  CreateCpuMemoryInfo: [69, "void *", ["int", "int", "void *"]],
  ReleaseEnv: [92, "void", ["void *"]],
  ReleaseStatus: [93, "void", ["void *"]],
  ReleaseMemoryInfo: [94, "void", ["void *"]],
  ReleaseSession: [95, "void", ["void *"]],
  ReleaseValue: [96, "void", ["void *"]],
  ReleaseSessionOptions: [100, "void", ["void *"]],
  CreateEnvWithGlobalThreadPools: [119, "void *", ["int", "str", "void *", "void *"]],
  DisablePerSessionThreads: [120, "void *", ["void *"]],
  CreateThreadingOptions: [121, "void *", ["void *"]],
  ReleaseThreadingOptions: [122, "void", ["void *"]],
  AddSessionConfigEntry: [130, "void *", ["void *", "str", "str"]],
  CreateAllocator: [131, "void *", ["void *", "void *", "void *"]],
  ReleaseAllocator: [132, "void", ["void *"]],
  SetGlobalIntraOpNumThreads: [147, "void *", ["void *", "int"]],
  SetGlobalInterOpNumThreads: [148, "void *", ["void *", "int"]],
  SessionOptionsAppendExecutionProvider_CUDA_V2: [204, "void *", ["void *", "void *"]],
  CreateCUDAProviderOptions: [205, "void *", ["void *"]],
  ReleaseCUDAProviderOptions: [208, "void", ["void *"]],
  SessionOptionsAppendExecutionProvider: [216, "void *", ["void *", "str", "void *", "void *", "size_t"]],
  Session_GetEpGraphAssignmentInfo: [407, "void *", ["void *", "void *", "void *"]],
  EpAssignedSubgraph_GetEpName: [408, "void *", ["void *", "void *"]],
  EpAssignedSubgraph_GetNodes: [409, "void *", ["void *", "void *", "void *"]],
  EpAssignedNode_GetOperatorType: [412, "void *", ["void *", "void *"]],
};
/** ONNX's numbers of element types. */
export const ELEMENT_TYPES: Readonly<Record<string, number>> = { float32: 1, int32: 6, bool: 9 };
/** The version of the API we ask for; FUNCTIONS were all there in it. */
const API_VERSION = 24;
/** Koffi runs an asynchronous call on a stack of its own, 128 KiB by default; onnxruntime's GEMM alone may take that. */
const STACK_BYTES = 8 << 20;

/** A loaded onnxruntime. */
export interface OrtLibrary {
  readonly version: string;
  readonly api: OrtApi;
  /** Native address of an array's elements; the array must stay referenced for as long as native code knows it. */
  addressOf(array: NodeJS.TypedArray): bigint;
  /** The pointers that lie at an address. */
  pointersAt(address: bigint, count: number): readonly bigint[];
  /** The text that lies at an address, up to its zero. */
  textAt(address: bigint): string;
}

let loaded: Promise<OrtLibrary> | undefined;

/**
 * The C API of the shared library inside the npm package onnxruntime-node, through koffi. Loaded once a thread, never
 * unloaded: a library handle that nobody holds is closed under the functions taken from it.
 *
 * @throws {EnvironmentError} when koffi or the library does not load here, or the library is not the package's version
 */
export function loadOrtLibrary(): Promise<OrtLibrary> {
  loaded ??= load();
  return loaded;
}

const unloadable = (what: string, cause?: unknown): EnvironmentError =>
  new EnvironmentError(
    `onnxruntime's C API is not to be had on ${process.platform} ${process.arch}: ${what}. Run "npm install" again, or set engine.runner to "onnxruntime-node".`,
    { platform: process.platform, arch: process.arch },
    { cause },
  );

async function load(): Promise<OrtLibrary> {
  disableTelemetry();
  const koffi = await importKoffi();
  const { path, packageVersion } = locateLibrary();
  const library = attempt(`${path} does not load`, () => koffi.load(path));
  keepForEver.push(library);
  const [getApi, getVersion] = koffi.decode(
    library.func("void *OrtGetApiBase()")(),
    koffi.array("void *", 2),
  ) as bigint[];
  const version = String(koffi.call(getVersion, koffi.proto("str", [])));
  if (version !== packageVersion) {
    throw unloadable(`${path} is version ${version}, but the package onnxruntime-node is ${packageVersion}`);
  }
  const table = koffi.call(getApi, koffi.proto("void *", ["uint32_t"]), API_VERSION) as Pointer;
  if (!table) throw unloadable(`onnxruntime ${version} does not offer version ${API_VERSION} of its API`);
  return {
    version,
    api: readApi(koffi, table),
    addressOf: (array) => addressOf(koffi, array),
    pointersAt: (address, count) =>
      count === 0 ? [] : (koffi.decode(address, koffi.array("void *", count)) as bigint[]),
    textAt: (address) => String(koffi.decode(address, "char", -1)),
  };
}

const keepForEver: unknown[] = [];

/** Koffi, with stacks large enough for onnxruntime. @throws {EnvironmentError} when it does not load here */
export async function importKoffi(): Promise<Koffi> {
  try {
    const { default: koffi } = await import("koffi");
    if ((koffi.config().async_stack_size ?? 0) < STACK_BYTES) koffi.config({ async_stack_size: STACK_BYTES });
    return koffi;
  } catch (cause) {
    throw unloadable("the npm package koffi does not load, or was set up otherwise before", cause);
  }
}

/** Where the npm package keeps onnxruntime's libraries for this platform. @throws {EnvironmentError} when it is not installed */
export const libraryFolder = (): string =>
  join(dirname(locateManifest()), "bin", "napi-v6", process.platform, process.arch);

const locateManifest = (): string =>
  attempt("the npm package onnxruntime-node is not installed", () =>
    createRequire(import.meta.url).resolve("onnxruntime-node/package.json"),
  );

function locateLibrary(): { path: string; packageVersion: string } {
  const file = { linux: "libonnxruntime.so.1", darwin: "libonnxruntime.1.dylib", win32: "onnxruntime.dll" }[
    process.platform as string
  ];
  if (!file) throw unloadable("it exists for Linux, macOS and Windows");
  const path = join(libraryFolder(), file);
  if (!existsSync(path)) throw unloadable(`${path} does not exist`);
  const manifest = createRequire(import.meta.url)(locateManifest()) as { version: string };
  return { path, packageVersion: manifest.version };
}

function readApi(koffi: Koffi, table: Pointer): OrtApi {
  const entries = Object.entries(FUNCTIONS);
  const length = Math.max(...entries.map(([, [place]]) => place)) + 1;
  const addresses = koffi.decode(table, koffi.array("void *", length)) as bigint[];
  return Object.fromEntries(
    entries.map(([name, [place, result, args]]) => [
      name,
      koffi.decode(addresses[place], koffi.proto(result, [...args])),
    ]),
  ) as unknown as OrtApi;
}

function addressOf(koffi: Koffi, array: NodeJS.TypedArray): bigint {
  void array.buffer; // V8 keeps short arrays inside its heap, where they move, until someone asks for their buffer
  return koffi.address(array);
}

function attempt<T>(failure: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw unloadable(failure, cause);
  }
}
