import type { Collective, CommitLog, CommitOutcome, CommitProposal, Generation, Marker } from "@gmc/collectives";
import { markerName } from "@gmc/collectives";
import { StaleGenerationError } from "@gmc/core";
import { expect, test } from "vitest";
import { generationGroup } from "./generation-group.ts";

const trained = (step: number): Marker => ({ step, phase: "trained" });
const validated = (step: number): Marker => ({ step, phase: "validated" });

/** A group whose log answers as told, and what was proposed to it. */
function groupOf(base: Marker | null, answer?: (proposal: CommitProposal) => Promise<CommitOutcome>) {
  const proposals: CommitProposal[] = [];
  const generation = { number: 3, id: "3-x" };
  const commits = async (proposal: CommitProposal): Promise<CommitOutcome> => {
    proposals.push(proposal);
    if (answer) return answer(proposal);
    return { status: "committed", committed: { marker: proposal.marker, generation, outcome: null } };
  };
  const interrupt = new AbortController();
  const committed: string[] = [];
  const group = generationGroup({
    collective: {} as Collective,
    log: { commit: commits } as unknown as CommitLog,
    generation: { ...generation, plan: {}, base: base && { marker: base, generation, outcome: null } } as Generation,
    signal: interrupt.signal,
    onCommitted: (marker) => committed.push(markerName(marker)),
  });
  return { group, proposals, committed, interrupt };
}

test("each marker is proposed after the one before it, the first after what the generation found", async () => {
  const { group, proposals, committed } = groupOf(trained(4));
  for (const marker of [trained(5), validated(5), trained(6)]) await group.commit(marker);
  expect(proposals.map(({ after, marker }) => [after && markerName(after), markerName(marker)])).toEqual([
    ["4", "5"],
    ["5", "5/validated"],
    ["5/validated", "6"],
  ]);
  expect(committed).toEqual(["5", "5/validated", "6"]);
  expect(groupOf(null).proposals).toEqual([]);
});

test("what stood before the generation is not committed again: its steps are only done again", async () => {
  const { group, proposals, committed } = groupOf(validated(4));
  for (const marker of [trained(3), trained(4), validated(4)]) await group.commit(marker);
  expect(proposals).toEqual([]);
  expect(committed).toEqual(["3", "4", "4/validated"]);
  await group.commit(trained(5));
  expect(proposals).toMatchObject([{ after: validated(4), marker: trained(5) }]);
});

test("a validation's outcome is committed with it", async () => {
  const { group, proposals } = groupOf(trained(4));
  await group.commit(validated(4), { loss: 1 });
  expect(proposals[0]).toMatchObject({ outcome: { loss: 1 } });
});

test.each([
  { status: "stale", current: "4-y" },
  { status: "elsewhere", committed: null },
] as const)("%j lets nothing change", async (outcome) => {
  const { group, committed } = groupOf(null, async () => outcome);
  await expect(group.commit(trained(1))).rejects.toThrow(StaleGenerationError);
  expect(committed).toEqual([]);
});

test("who is called away does not wait for an answer that may never come, and commits nothing more", async () => {
  const { group, committed, proposals, interrupt } = groupOf(null, () => new Promise(() => {}));
  const waiting = group.commit(trained(1));
  interrupt.abort();
  await expect(waiting).rejects.toThrow(StaleGenerationError);
  await expect(group.commit(trained(1))).rejects.toThrow(StaleGenerationError);
  expect(proposals).toHaveLength(1);
  expect(committed).toEqual([]);
});
