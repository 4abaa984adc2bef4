import type { Collective, Marker } from "@gmc/collectives";
import { compareMarkers } from "@gmc/collectives";
import type { Model, TrainState } from "@gmc/core";
import { DataError } from "@gmc/core";
import { markerOf, packTrainState, unpackTrainState } from "@gmc/trainer";

export interface SyncOptions {
  readonly collective: Collective;
  readonly model: Model;
  readonly stepsPerEpoch: number;
  /** sha256 (hex) of the data set that this member sees. */
  readonly dataSha256: string;
  /** What this member has applied; null where it has nothing. */
  readonly state: TrainState | null;
  /** On the first rank, where to begin when nobody has anything: the last checkpoint's state, or the first one. */
  readonly start: TrainState | null;
  readonly signal?: AbortSignal;
}

/** Scope of what is exchanged here. */
const SCOPE = "sync";

/**
 * The state that all members of a generation begin with. Everyone says what it has applied; who has the most gives it to
 * those who have less, the lowest rank of several. When nobody has anything, the first rank loads it.
 *
 * @throws {DataError} when members see different data
 * @throws as calls of a collective do
 */
export async function syncState(options: SyncOptions): Promise<TrainState> {
  const { collective, model, stepsPerEpoch, state, start, signal } = options;
  const { rank, shardsOfWorkers } = collective;
  const marker = state && markerOf(state, stepsPerEpoch);
  const card = encodeCard({ has: state !== null, marker, dataSha256: options.dataSha256 });
  const blocks = new Map((shardsOfWorkers[rank] ?? []).map((shard) => [shard, card]));
  const gathered = await collective.gather(`${SCOPE}/applied`, blocks, signal);
  const cards = shardsOfWorkers.map(([shard = 0]) => decodeCard(gathered.subarray(shard * CARD, (shard + 1) * CARD)));
  refuseOtherData(cards);
  const { giver, lacking } = whoGives(cards);
  const known = rank === giver ? (state ?? start) : state;
  const packed = rank === giver && known && lacking.length > 0 ? packTrainState(known) : undefined;
  const given = lacking.length > 0 ? await collective.broadcast(`${SCOPE}/state`, giver, packed, signal) : undefined;
  await collective.release(SCOPE);
  if (known && !lacking.includes(rank)) return known;
  if (given) return unpackTrainState(given, model);
  throw new TypeError("syncState: the first rank has nothing to begin with.");
}

/** What a member says of itself. */
export interface Card {
  readonly has: boolean;
  readonly marker: Marker | null;
  readonly dataSha256: string;
}

/** The lowest rank of those that have the most, the first one when nobody has anything; and those that have less. */
export function whoGives(cards: readonly Card[]): { readonly giver: number; readonly lacking: readonly number[] } {
  let giver = cards.findIndex(({ has }) => has);
  for (const [rank, { has, marker }] of cards.entries()) {
    if (has && compareMarkers(marker, cards[giver]?.marker ?? null) > 0) giver = rank;
  }
  giver = Math.max(0, giver);
  const most = cards[giver]?.marker ?? null;
  const hasMost = ({ has, marker }: Card): boolean => has && compareMarkers(marker, most) === 0;
  const lacking = cards.flatMap((card, rank) => (rank === giver || hasMost(card) ? [] : [rank]));
  return { giver, lacking };
}

function refuseOtherData(cards: readonly Card[]): void {
  const [first] = cards;
  for (const [rank, { dataSha256 }] of cards.entries()) {
    if (dataSha256 === first?.dataSha256) continue;
    throw new DataError(
      `Rank ${rank} sees other data than rank 0: their sha256 are ${dataSha256} and ${first?.dataSha256}.`,
      { rank },
    );
  }
}

const SHA_BYTES = 32;
/** Numbers of a card: has, step, phase as float64, each seen as two float32, and the sha256. */
const CARD = 2 * 3 + SHA_BYTES / 4;

function encodeCard({ has, marker, dataSha256 }: Card): Float32Array {
  const bytes = new Uint8Array(CARD * 4);
  const numbers = Float64Array.of(Number(has), marker?.step ?? 0, Number(marker?.phase === "validated"));
  bytes.set(new Uint8Array(numbers.buffer));
  bytes.set(Buffer.from(dataSha256.padEnd(2 * SHA_BYTES, "0").slice(0, 2 * SHA_BYTES), "hex"), 24);
  return new Float32Array(bytes.buffer);
}

function decodeCard(block: Float32Array): Card {
  const bytes = new Uint8Array(block.slice().buffer);
  const [has, step = 0, validated] = new Float64Array(bytes.slice(0, 24).buffer);
  return {
    has: has === 1,
    marker: step > 0 ? { step, phase: validated === 1 ? "validated" : "trained" } : null,
    dataSha256: Buffer.from(bytes.subarray(24)).toString("hex"),
  };
}
