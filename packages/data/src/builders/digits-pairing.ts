import { DataError, permutation, randomKey } from "@gmc/core";

/**
 * For each sample the index of its partner in a pool of the same class: each class's pool is permuted and repeated as
 * often as needed, so that every partner is used before one is used again.
 *
 * @param labels  class of each sample
 * @param pool    class of each partner
 * @param purpose names the draw: different purposes pair independently
 * @throws {DataError} for a class without a partner
 */
export function pairByClass(seed: number, purpose: string, labels: Uint8Array, pool: Uint8Array): Uint32Array {
  const orders = new Map<number, Uint32Array>();
  const used = new Map<number, number>();
  const partners = new Uint32Array(labels.length);
  for (const [i, label] of labels.entries()) {
    const order = orders.get(label) ?? shuffledMembers(seed, purpose, pool, label);
    orders.set(label, order);
    const place = used.get(label) ?? 0;
    used.set(label, place + 1);
    partners[i] = order[place % order.length] ?? 0;
  }
  return partners;
}

function shuffledMembers(seed: number, purpose: string, pool: Uint8Array, label: number): Uint32Array {
  const members: number[] = [];
  for (const [i, other] of pool.entries()) if (other === label) members.push(i);
  if (members.length === 0) throw new DataError(`There is no ${purpose} of class ${label} to pair with.`, { label });
  return permutation(randomKey(seed, `digits/${purpose}`, label), members.length).map((i) => members[i] ?? 0);
}
