import { DataError } from "@gmc/core";

/** Plain values of a pickle: tuples, lists and sets as arrays, dicts as maps, what globals build as they say. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | PickleGlobal
  | PickleObject;

/** A name the pickle refers to; `call` makes what calling it would make, from data alone. */
export interface PickleGlobal {
  readonly kind: "global";
  readonly name: string;
  /** Absent for names that are only mentioned (types of storages). */
  readonly call?: (args: readonly PickleValue[]) => PickleValue;
}

/** Something a reader of pickles puts in a value: a tensor, a storage. */
export interface PickleObject {
  readonly kind: string;
  /** Takes the state that a pickle sets after building; absent: the state is refused. */
  setState?(state: PickleValue): void;
}

/** What a pickle may refer to. */
export interface PickleScope {
  /** The global of that full name, or undefined: then the pickle is refused with the name. Nothing is imported or run. */
  findGlobal(name: string): PickleGlobal | undefined;
  /** What a persistent id stands for. */
  loadPersistent?(id: PickleValue): PickleValue;
}

interface Mark {
  readonly kind: "mark";
}
const MARK: Mark = { kind: "mark" };

/**
 * The value of one pickle (protocols 2 to 5), and where it ends. Opcodes only build data; a name that the scope does not
 * know is refused, so that nothing of the file is ever executed.
 *
 * @param bytes  the pickle, possibly with more behind it
 * @param start  where it starts
 * @param name   the file, for messages
 * @throws {DataError} for opcodes, globals and structures that are not understood
 */
export function readPickle(
  bytes: Buffer,
  start: number,
  name: string,
  scope: PickleScope,
): { readonly value: PickleValue; readonly end: number } {
  const machine = new PickleMachine(bytes, start, name, scope);
  const value = machine.run();
  return { value, end: machine.position };
}

class PickleMachine {
  position: number;
  readonly #bytes: Buffer;
  readonly #name: string;
  readonly #scope: PickleScope;
  readonly #stack: (PickleValue | Mark)[] = [];
  readonly #memo = new Map<number, PickleValue>();

  constructor(bytes: Buffer, start: number, name: string, scope: PickleScope) {
    this.#bytes = bytes;
    this.position = start;
    this.#name = name;
    this.#scope = scope;
  }

  run(): PickleValue {
    for (;;) {
      const at = this.position;
      const opcode = this.#take(1)[0] ?? 0;
      if (opcode === 0x2e) return this.#pop(); // STOP
      try {
        this.#step(opcode);
      } catch (cause) {
        if (cause instanceof DataError) throw cause;
        throw this.#fail(`${(cause as Error).message} (at byte ${at})`, cause);
      }
    }
  }

  #step(opcode: number): void {
    const stack = this.#stack;
    switch (String.fromCharCode(opcode)) {
      case "\x80": // PROTO
        return void this.#take(1);
      case "\x95": // FRAME
        return void this.#take(8);
      case "(":
        return void stack.push(MARK);
      case "0":
        return void this.#pop();
      case "1":
        return void this.#popMark();
      case "2":
        return void stack.push(this.#top());
      case "N":
        return void stack.push(null);
      case "\x88":
        return void stack.push(true);
      case "\x89":
        return void stack.push(false);
      case "J":
        return void stack.push(this.#take(4).readInt32LE());
      case "K":
        return void stack.push(this.#take(1).readUInt8());
      case "M":
        return void stack.push(this.#take(2).readUInt16LE());
      case "\x8a":
        return void stack.push(longOf(this.#take(this.#take(1).readUInt8())));
      case "\x8b":
        return void stack.push(longOf(this.#take(this.#take(4).readUInt32LE())));
      case "G":
        return void stack.push(this.#take(8).readDoubleBE());
      case "X":
        return void stack.push(this.#take(this.#take(4).readUInt32LE()).toString("utf8"));
      case "\x8c":
        return void stack.push(this.#take(this.#take(1).readUInt8()).toString("utf8"));
      case "\x8d":
        return void stack.push(this.#take(this.#size64()).toString("utf8"));
      case "T": // BINSTRING, SHORT_BINSTRING: Python 2's str
        return void stack.push(this.#take(this.#take(4).readUInt32LE()).toString("latin1"));
      case "U":
        return void stack.push(this.#take(this.#take(1).readUInt8()).toString("latin1"));
      case "B":
        return void stack.push(new Uint8Array(this.#take(this.#take(4).readUInt32LE())));
      case "C":
        return void stack.push(new Uint8Array(this.#take(this.#take(1).readUInt8())));
      case "\x8e":
      case "\x96": // BYTEARRAY8
        return void stack.push(new Uint8Array(this.#take(this.#size64())));
      case ")":
      case "]":
      case "\x8f": // EMPTY_SET
        return void stack.push([]);
      case "}":
        return void stack.push(new Map());
      case "t":
      case "l":
      case "\x91": // FROZENSET
        return void stack.push(this.#popMark());
      case "\x85":
      case "\x86":
      case "\x87":
        return void stack.push(this.#popMany(opcode - 0x84));
      case "d":
        return void stack.push(setItems(new Map(), this.#popMark()));
      case "a": {
        const item = this.#pop();
        return void listOf(this.#top()).push(item);
      }
      case "e":
      case "\x90": {
        const items = this.#popMark();
        const list = listOf(this.#top());
        for (const item of items) list.push(item);
        return;
      }
      case "s": {
        const items = this.#popMany(2);
        return void setItems(this.#top(), items);
      }
      case "u": {
        const items = this.#popMark();
        return void setItems(this.#top(), items);
      }
      case "q":
        return void this.#memo.set(this.#take(1).readUInt8(), this.#top());
      case "r":
        return void this.#memo.set(this.#take(4).readUInt32LE(), this.#top());
      case "\x94":
        return void this.#memo.set(this.#memo.size, this.#top());
      case "h":
        return void stack.push(this.#recall(this.#take(1).readUInt8()));
      case "j":
        return void stack.push(this.#recall(this.#take(4).readUInt32LE()));
      case "c":
        return void stack.push(this.#global(this.#line(), this.#line()));
      case "\x93": {
        const [module, attribute] = this.#popMany(2);
        return void stack.push(this.#global(String(module), String(attribute)));
      }
      case "R":
      case "\x81": {
        const [callee, args] = this.#popMany(2);
        return void stack.push(this.#call(callee, args));
      }
      case "b": {
        const state = this.#pop();
        return void this.#setState(this.#top(), state);
      }
      case "Q": {
        const id = this.#pop();
        if (!this.#scope.loadPersistent) throw this.#fail("it refers to something outside itself");
        return void stack.push(this.#scope.loadPersistent(id));
      }
      default:
        throw this.#fail(
          `opcode ${JSON.stringify(String.fromCharCode(opcode))} at byte ${this.position - 1} is not supported`,
        );
    }
  }

  #global(module: string, attribute: string): PickleGlobal {
    const name = `${module}.${attribute}`;
    const found = this.#scope.findGlobal(name);
    if (found) return found;
    throw new DataError(
      `${this.#name} refers to ${name}, which is not on the list of what is read from such files (tensors, numbers, ` +
        "text, tuples, lists and dicts). Nothing was executed. Save plain tensors instead.",
      { path: this.#name, global: name },
    );
  }

  #call(callee: PickleValue | undefined, args: PickleValue | undefined): PickleValue {
    if (!isObject(callee, "global")) throw this.#fail("something is called that is not a name");
    const { name, call } = callee as PickleGlobal;
    if (!call) throw this.#fail(`it calls ${name}, which is only a type here`);
    return call(listOf(args));
  }

  #setState(target: PickleValue, state: PickleValue): void {
    if (target instanceof Map) return; // attributes of an ordered dict, like a state dict's _metadata
    const settable = target as PickleObject | null;
    if (typeof settable?.setState !== "function") throw this.#fail("it sets the state of something that has none");
    settable.setState(state);
  }

  #recall(index: number): PickleValue {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#fail(`memo ${index} is used before it is set`);
    return value;
  }

  #take(length: number): Buffer {
    const end = this.position + length;
    if (end > this.#bytes.length) throw this.#fail("the pickle is cut short");
    const taken = this.#bytes.subarray(this.position, end);
    this.position = end;
    return taken;
  }

  #size64(): number {
    return Number(this.#take(8).readBigUInt64LE());
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.position);
    if (end < 0) throw this.#fail("the pickle is cut short");
    const text = this.#bytes.toString("utf8", this.position, end);
    this.position = end + 1;
    return text;
  }

  #pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) throw this.#fail("its stack is empty");
    return value as PickleValue;
  }

  #top(): PickleValue {
    const value = this.#pop();
    this.#stack.push(value);
    return value;
  }

  #popMany(count: number): PickleValue[] {
    const values: PickleValue[] = [];
    for (let i = 0; i < count; i++) values.unshift(this.#pop());
    return values;
  }

  #popMark(): PickleValue[] {
    const at = this.#stack.lastIndexOf(MARK);
    if (at < 0) throw this.#fail("it lacks a mark");
    return this.#stack.splice(at).slice(1) as PickleValue[];
  }

  #fail(what: string, cause?: unknown): DataError {
    return new DataError(`${this.#name}: its pickle is not understood: ${what}.`, { path: this.#name }, { cause });
  }
}

/** True for an object of that kind. */
export const isObject = (value: PickleValue | undefined, kind: string): value is PickleObject =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === kind;

/** The value as a list. @throws {TypeError} when it is none */
export function listOf(value: PickleValue | undefined): PickleValue[] {
  if (Array.isArray(value)) return value;
  throw new TypeError("a list or tuple was expected");
}

/** Two's complement, little-endian; a number where that is exact. */
function longOf(bytes: Buffer): number | bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  if (bytes.length > 0 && (bytes[bytes.length - 1] ?? 0) & 0x80) value -= 1n << BigInt(8 * bytes.length);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function setItems(target: PickleValue, items: readonly PickleValue[]): Map<PickleValue, PickleValue> {
  if (!(target instanceof Map)) throw new TypeError("a dict was expected");
  for (let i = 0; i + 1 < items.length; i += 2) target.set(items[i] ?? null, items[i + 1] ?? null);
  return target;
}
