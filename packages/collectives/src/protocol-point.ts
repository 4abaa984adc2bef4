/**
 * The places of the protocol at which a worker may die or sleep and the bits must not change; tests stop there.
 * A hook is awaited before the worker goes on.
 */
export type ProtocolPoint =
  | "gather:before-write"
  | "gather:after-write"
  | "gather:before-read"
  | "gather:done"
  | "reduce:before-write"
  | "reduce:after-write"
  | "reduce:before-sum"
  | "reduce:before-sum-write"
  | "reduce:after-sum-write"
  | "reduce:done"
  | "release:before"
  | "release:after"
  | "commit:before"
  | "commit:after";

export type ProtocolHook = (point: ProtocolPoint, tag: string) => void | Promise<void>;
