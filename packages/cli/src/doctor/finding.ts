/** One thing a machine has, or lacks. */
export interface Finding {
  readonly name: string;
  readonly ok: boolean;
  /** True when training cannot work without it. */
  readonly needed: boolean;
  readonly found: string;
  /** Not there, and nothing that needs it. */
  readonly absent?: true;
  /** How to get it, where it is not ok. */
  readonly advice?: string;
}

export const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
