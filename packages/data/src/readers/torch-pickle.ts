import type { DType } from "@gmc/storage";
import { NUMPY_GLOBALS } from "./numpy-pickle.ts";
import { isObject, listOf, type PickleGlobal, type PickleScope, type PickleValue } from "./pickle.ts";
import { type TorchStorage, TorchTensor } from "./torch-tensor.ts";

/** Element types by the name of the storage class. */
const STORAGE_TYPES = new Map<string, DType>([
  ["DoubleStorage", "float64"],
  ["FloatStorage", "float32"],
  ["HalfStorage", "float16"],
  ["BFloat16Storage", "bfloat16"],
  ["LongStorage", "int64"],
  ["IntStorage", "int32"],
  ["ShortStorage", "int16"],
  ["CharStorage", "int8"],
  ["ByteStorage", "uint8"],
  ["BoolStorage", "bool"],
]);

/**
 * What a PyTorch pickle may refer to: tensors, parameters, ordered dicts, sizes, numpy's arrays and scalars.
 *
 * @param storageOf  the storage with that key, made on first sight
 */
export function torchScope(path: string, storageOf: (key: string, dtype: DType) => TorchStorage): PickleScope {
  return {
    findGlobal: (name) => globalOf(path, name),
    loadPersistent(id) {
      const [tag, type, key, , , view] = listOf(id);
      if (tag !== "storage" || !isObject(type, "global")) throw new TypeError("a persistent id is no storage");
      if (view !== null && view !== undefined)
        throw new TypeError("views of storages (PyTorch before 0.4) are not supported");
      const dtype = STORAGE_TYPES.get(shortName(type as PickleGlobal));
      if (!dtype) throw new TypeError(`storages of type ${(type as PickleGlobal).name} are not supported`);
      return storageOf(String(key), dtype);
    },
  };
}

function globalOf(path: string, name: string): PickleGlobal | undefined {
  const [module, attribute = ""] = [name.slice(0, name.lastIndexOf(".")), name.split(".").at(-1)];
  const made = (call?: PickleGlobal["call"]): PickleGlobal => ({ kind: "global", name, ...(call ? { call } : {}) });
  if (name === "torch._utils._rebuild_tensor_v2" || name === "torch._utils._rebuild_tensor") {
    return made((args) => rebuildTensor(path, args));
  }
  if (name === "torch._utils._rebuild_parameter") return made(([tensor]) => tensor ?? null);
  if (name === "torch.Size") return made(([lengths]) => listOf(lengths));
  if (name === "collections.OrderedDict") return made(([pairs]) => orderedDict(pairs));
  if (module === "torch" && STORAGE_TYPES.has(attribute)) return made();
  return NUMPY_GLOBALS.get(name);
}

function rebuildTensor(path: string, args: readonly PickleValue[]): TorchTensor {
  const [storage, offset, shape, strides] = args;
  if (!isObject(storage, "storage")) throw new TypeError("a tensor has no storage");
  const lengths = countsOf(shape);
  const steps = countsOf(strides);
  if (lengths.length !== steps.length) throw new TypeError("a tensor has as many strides as axes");
  const [start = 0] = countsOf([offset ?? 0]);
  const source = storage as TorchStorage;
  return new TorchTensor(path, source.dtype, lengths, { strides: steps, offset: start, storage: source });
}

function orderedDict(pairs: PickleValue | undefined): PickleValue {
  const items = pairs === undefined ? [] : listOf(pairs).map(listOf);
  return new Map(items.map(([key = null, value = null]) => [key, value]));
}

function countsOf(value: PickleValue | undefined): number[] {
  return listOf(value).map((item) => {
    if (typeof item === "number" && Number.isSafeInteger(item) && item >= 0) return item;
    throw new TypeError(`${String(item)} is no length, stride or offset`);
  });
}

const shortName = ({ name }: PickleGlobal): string => name.split(".").at(-1) ?? name;
