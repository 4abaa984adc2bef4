import { DataError } from "@gmc/core";
import protobuf from "protobufjs/light.js";
import { crc32c } from "./crc32c.ts";
import { descriptor } from "./messages.gen.ts";

/** Numbers of a run at one step, for TensorBoard. */
export interface ScalarEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  /** By tag, "loss/epoch"; TensorBoard groups tags by what stands before the slash. Kept as float32. */
  readonly scalars: Readonly<Record<string, number>>;
}

const VERSION = "brain.Event:2";
const HEAD_BYTES = 12;
const FOOT_BYTES = 4;

const type = protobuf.Root.fromJSON(descriptor).lookupType("tensorboard.Event");

/**
 * A TensorBoard event file: TFRecords, each `[length uint64][masked crc of it][Event][masked crc of that]`, little-endian. The
 * first one says the file's version. TensorBoard reads files whose name contains "tfevents".
 */
export function encodeEventFile(events: readonly ScalarEvent[]): Uint8Array {
  const first = record({ wallTime: events[0]?.wallTime ?? 0, step: 0, fileVersion: VERSION });
  const rest = events.map(({ wallTime, step, scalars }) =>
    record({
      wallTime,
      step,
      summary: { value: Object.entries(scalars).map(([tag, v]) => ({ tag, simpleValue: v })) },
    }),
  );
  return joined([first, ...rest]);
}

/** The scalars of an event file. @throws {DataError} for a file that is cut, changed, or none */
export function decodeEventFile(bytes: Uint8Array, name: string): ScalarEvent[] {
  const events = [...records(bytes, name)].map((record) => type.toObject(type.decode(record), { longs: Number }));
  if (events[0]?.fileVersion !== VERSION) throw new DataError(`${name} is not an event file of ours.`, { name });
  return events.slice(1).map(({ wallTime = 0, step = 0, summary }) => ({
    wallTime,
    step,
    scalars: Object.fromEntries(
      ((summary?.value ?? []) as { tag: string; simpleValue?: number }[]).map((value) => [
        value.tag,
        value.simpleValue ?? 0,
      ]),
    ),
  }));
}

/** One message in its frame. */
function record(message: Readonly<Record<string, unknown>>): Uint8Array {
  const data = type.encode(message).finish();
  const framed = new Uint8Array(HEAD_BYTES + data.length + FOOT_BYTES);
  const view = new DataView(framed.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(framed.subarray(0, 8)), true);
  framed.set(data, HEAD_BYTES);
  view.setUint32(HEAD_BYTES + data.length, masked(data), true);
  return framed;
}

function* records(bytes: Uint8Array, name: string): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const broken = (at: number) => new DataError(`${name}: the record at byte ${at} is cut or damaged.`, { name, at });
  for (let at = 0; at < bytes.length; ) {
    if (at + HEAD_BYTES + FOOT_BYTES > bytes.length) throw broken(at);
    const length = Number(view.getBigUint64(at, true));
    const end = at + HEAD_BYTES + length;
    if (view.getUint32(at + 8, true) !== masked(bytes.subarray(at, at + 8))) throw broken(at);
    if (end + FOOT_BYTES > bytes.length) throw broken(at);
    const data = bytes.subarray(at + HEAD_BYTES, end);
    if (view.getUint32(end, true) !== masked(data)) throw broken(at);
    yield data;
    at = end + FOOT_BYTES;
  }
}

/** TFRecord's crc: rotated and shifted, so that a crc of data that holds crcs is no problem. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
