/**
 * The places of the protocol at which a worker may die or sleep and the bits must not change; tests stop there.
 * A hook is awaited before the worker goes on.
 */
export const PROTOCOL_POINTS = [
  "gather:before-write",
  "gather:after-write",
  "gather:before-read",
  "gather:done",
  "reduce:before-write",
  "reduce:after-write",
  "reduce:before-sum",
  "reduce:before-sum-write",
  "reduce:after-sum-write",
  "reduce:done",
  "broadcast:before-write",
  "broadcast:after-write",
  "broadcast:done",
  "release:before",
  "release:after",
  "commit:before",
  "commit:after",
] as const;
export type ProtocolPoint = (typeof PROTOCOL_POINTS)[number];

export type ProtocolHook = (point: ProtocolPoint, tag: string) => void | Promise<void>;
