/** What decides the result of an alignment, but for the points. */
export interface AlignmentSettings {
  readonly rays: number;
  readonly seed: number;
  readonly sphereCoverage: number;
  readonly minClusterSize: number;
  readonly componentConsistency: number;
  readonly componentQuality: number;
}

/** The paper's parameters (seed aside, which it does not give). */
export const DEFAULT_ALIGNMENT: AlignmentSettings = Object.freeze({
  rays: 10_000,
  seed: 0,
  sphereCoverage: 1,
  minClusterSize: 10,
  componentConsistency: 0,
  componentQuality: 0,
});

/** Hits are counted in 16 bits. */
const MOST_RAYS = 65535;

/**
 * The settings with defaults for what is not given.
 *
 * @throws {RangeError} naming the option, what is expected and what came
 */
export function resolveSettings(
  given: { readonly [K in keyof AlignmentSettings]?: number | undefined },
): AlignmentSettings {
  const pick = (name: keyof AlignmentSettings) => given[name] ?? DEFAULT_ALIGNMENT[name];
  return {
    rays: whole("rays", pick("rays"), 1, MOST_RAYS),
    seed: whole("seed", pick("seed"), 0, Number.MAX_SAFE_INTEGER),
    sphereCoverage: within("sphereCoverage", pick("sphereCoverage"), (value) => value > 0 && value <= 1, "(0, 1]"),
    minClusterSize: whole("minClusterSize", pick("minClusterSize"), 2, 2 ** 31),
    componentConsistency: threshold("componentConsistency", pick("componentConsistency")),
    componentQuality: threshold("componentQuality", pick("componentQuality")),
  };
}

/** @throws {RangeError} unless the value is a whole number from `least` to `most` */
export function whole(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`alignment: ${name} is a whole number from ${least} to ${most}, received ${value}`);
}

const threshold = (name: string, value: number) => within(name, value, (share) => share >= 0 && share < 1, "[0, 1)");

function within(name: string, value: number, accepts: (value: number) => boolean, interval: string): number {
  if (accepts(value)) return value;
  throw new RangeError(`alignment: ${name} is a number in ${interval}, received ${value}`);
}
