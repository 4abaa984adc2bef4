import type { EncodedError } from "@gmc/core";
import type { TaskReport, WorkerReport } from "@gmc/protocol";
import { describe, expect, test } from "vitest";
import type { Decision, Situation } from "./membership.ts";
import { decide } from "./membership.ts";

const error = (code: string, message = code, details = {}): EncodedError => ({ code, message, details });
const worker = (id: string, task?: Partial<TaskReport>, state: WorkerReport["state"] = "busy"): WorkerReport => ({
  id,
  host: `${id}-host`,
  pid: 1,
  device: "cpu",
  threads: 1,
  versions: {},
  bits: "b",
  startedAt: "2026-01-01",
  state: task ? state : "idle",
  ...(task && { task: { run: "r", stage: "ready", ...task } }),
});
const training = (id: string, more: Partial<TaskReport> = {}) =>
  worker(id, { stage: "training", generation: "1-g", ...more });
const ready = (id: string) => worker(id, { stage: "ready" });
const ended = (id: string, more: Partial<TaskReport>) => worker(id, { stage: "ended", generation: "1-g", ...more });

/** Workers in the order of the list; those with a task are claimed, members as named, the others free. */
function situation(
  reports: readonly WorkerReport[],
  members: readonly string[],
  more: Partial<Situation> = {},
): Situation {
  const tasked = reports.filter(({ task }) => task).map(({ id }) => id);
  return {
    run: "r",
    shards: 4,
    workers: { min: 2, max: 4 },
    generation: members.length > 0 ? { id: "1-g", members, action: "train" } : null,
    reports: new Map(reports.map((report) => [report.id, report])),
    blind: false,
    claimed: [...new Set([...members, ...tasked])],
    free: reports.filter(({ task }) => !task).map(({ id }) => id),
    excluded: new Map(),
    settled: true,
    overdue: false,
    voided: null,
    cancelled: false,
    ...more,
  };
}
const opened = ({ next }: Decision): readonly string[] | string => (next.kind === "open" ? next.members : next.kind);
const causeOf = ({ next }: Decision): string => (next.kind === "open" ? next.cause : next.kind);

describe("before the first generation", () => {
  test("idle workers are invited, as many as the run takes and shards allow", () => {
    const five = ["a", "b", "c", "d", "e"].map((id) => worker(id));
    expect(decide(situation(five, []))).toMatchObject({ invite: ["a", "b", "c", "d"], next: { kind: "wait" } });
    expect(decide(situation(five, [], { shards: 3 })).invite).toEqual(["a", "b", "c"]);
    expect(decide(situation(five, [], { workers: { min: 1, max: 2 } })).invite).toEqual(["a", "b"]);
  });

  test("it begins once enough are ready, and waits a while for those who prepare", () => {
    const two = [ready("a"), ready("b"), worker("c", { stage: "preparing" })];
    expect(opened(decide(situation(two, [], { settled: false })))).toBe("wait");
    expect(opened(decide(situation(two, [])))).toEqual(["a", "b"]);
    expect(opened(decide(situation([ready("a"), worker("c", { stage: "preparing" })], [])))).toBe("wait");
    expect(opened(decide(situation([ready("a")], [])))).toBe("wait");
  });

  test("nobody is held where there are too few for the run to begin", () => {
    const decision = decide(situation([worker("a")], []));
    expect(decision.invite).toEqual([]);
    expect(decision.next).toMatchObject({
      kind: "wait",
      reason: expect.stringMatching(/waits for 2 workers.*1 alive/),
    });
    expect([...decide(situation([ready("a")], [])).drop.keys()]).toEqual(["a"]);
  });

  test("a worker that cannot take part is dropped for this run, and the others begin", () => {
    const refusal = error("ERR_DATA", "no such data");
    const reports = [worker("a", { stage: "refused", error: refusal }), ready("b"), ready("c")];
    const decision = decide(situation(reports, []));
    expect(decision.drop.get("a")?.strikes).toEqual(refusal);
    expect(opened(decision)).toEqual(["b", "c"]);
  });

  test("it fails with the first refusal when too few are left to begin, and there would have been enough", () => {
    const refusal = error("ERR_DATA", "no such data");
    const excluded = new Map([["a", refusal]]);
    const next = (reports: readonly WorkerReport[]) =>
      decide(situation(reports, [], { free: [], claimed: [], excluded })).next;
    expect(next([worker("a"), worker("b")])).toEqual({ kind: "fail", error: refusal });
    expect(next([worker("a"), worker("b"), worker("c", { run: "other" })]).kind).toBe("wait"); // a busy one may come
    expect(next([worker("a")]).kind).toBe("wait"); // too few in any case
    expect(next([]).kind).toBe("wait");
  });

  test("a run that has begun fails when nobody but refusers is there", () => {
    const refusal = error("ENOSPC", "disk full");
    const excluded = new Map([["a", refusal]]);
    const more = { free: [], claimed: [], excluded };
    expect(decide(situation([worker("a")], ["a"], more)).next).toEqual({ kind: "fail", error: refusal });
    expect(decide(situation([], ["a"], more)).next.kind).toBe("wait");
  });

  test("what every worker would meet fails the run at once", () => {
    const reports = [worker("a", { stage: "refused", error: error("ERR_CONFIG") }), ready("b")];
    expect(decide(situation(reports, [])).next).toEqual({ kind: "fail", error: error("ERR_CONFIG") });
  });

  test("cancelled, it ends without having written anything", () => {
    expect(decide(situation([worker("a")], [], { cancelled: true })).next).toMatchObject({
      kind: "fail",
      error: { code: "ERR_CANCELLED" },
    });
  });
});

describe("a generation", () => {
  test("goes on while its members beat", () => {
    const decision = decide(situation([training("a"), training("b")], ["a", "b"], { workers: { min: 2, max: 2 } }));
    expect(decision).toEqual({ next: { kind: "keep" }, invite: [], drop: new Map() });
  });

  test("is followed by one without the worker that fell silent, in the same order, with less than min too", () => {
    const decision = decide(situation([training("b")], ["a", "b"]));
    expect(opened(decision)).toEqual(["b"]);
    expect(causeOf(decision)).toBe("a is silent");
    expect([...decision.drop.keys()]).toEqual(["a"]);
    expect(opened(decide(situation([training("c"), training("a")], ["c", "b", "a"])))).toEqual(["c", "a"]);
  });

  test("goes on while the coordinator itself, or Redis, was away and cannot know who is dead", () => {
    expect(decide(situation([], ["a", "b"], { blind: true })).next.kind).toBe("keep");
    expect(decide(situation([training("b")], ["a", "b"], { blind: true })).next.kind).toBe("keep");
  });

  test("waits when nobody is left, and goes on with the first that is ready, be it one", () => {
    expect(decide(situation([], ["a", "b"])).next).toMatchObject({
      kind: "wait",
      reason: expect.stringContaining("1 worker"),
    });
    expect(decide(situation([worker("c")], ["a", "b"]))).toMatchObject({ invite: ["c"], next: { kind: "wait" } });
    const claimed = ["c"]; // the dead were dropped before
    expect(opened(decide(situation([ready("c")], ["a", "b"], { claimed })))).toEqual(["c"]);
  });

  test("lets go of a worker that leaves", () => {
    const leaving = { ...training("a"), state: "leaving" as const };
    const decision = decide(situation([leaving, training("b")], ["a", "b"]));
    expect(opened(decision)).toEqual(["b"]);
    expect(causeOf(decision)).toBe("a on a-host leaves");
  });

  test("whose last workers leave has one of them save a checkpoint first, and then waits for others", () => {
    const leaving = (id: string, more: Partial<TaskReport> = {}) => ({
      ...training(id, more),
      state: "leaving" as const,
    });
    const decision = decide(situation([leaving("a"), leaving("b")], ["a", "b"]));
    expect(decision.next).toMatchObject({ kind: "open", members: ["a"], action: "keep" });
    expect([...decision.drop.keys()]).toEqual(["b"]);

    const saving = { generation: { id: "2-k", members: ["a"], action: "keep" as const }, claimed: ["a"] };
    expect(decide(situation([leaving("a")], [], saving)).next.kind).toBe("keep"); // has not taken it up yet
    expect(decide(situation([leaving("a", { generation: "2-k" })], [], saving)).next.kind).toBe("keep");
    const claimed = ["a", "c"];
    const two = [leaving("a", { generation: "2-k" }), ready("c")];
    expect(decide(situation(two, [], { ...saving, claimed })).next.kind).toBe("keep");
    for (const outcome of ["done", "interrupted"] as const) {
      const saved = { ...leaving("a", { stage: "ended", generation: "2-k", outcome }) };
      const after = decide(situation([saved], [], saving));
      expect(after.next.kind).toBe("wait");
      expect([...after.drop.keys()]).toEqual(["a"]);
      expect(opened(decide(situation([saved, ready("c")], [], { ...saving, claimed })))).toEqual(["c"]);
    }
    expect(decide(situation([], [], saving)).next.kind).toBe("wait"); // it died
  });

  test("takes in a worker once it is ready, not before, and at the end of the ranks", () => {
    const members = [training("b"), training("c")];
    expect(decide(situation([worker("a"), ...members], ["b", "c"]))).toMatchObject({
      invite: ["a"],
      next: { kind: "keep" },
    });
    const preparing = worker("a", { stage: "preparing" });
    expect(decide(situation([preparing, ...members], ["b", "c"])).next.kind).toBe("keep");
    const decision = decide(situation([ready("a"), ...members], ["b", "c"]));
    expect(opened(decision)).toEqual(["b", "c", "a"]);
    expect(causeOf(decision)).toBe("a on a-host joined");
  });

  test("takes several in at once where they come together", () => {
    const reports = [training("a"), ready("b"), worker("c", { stage: "preparing" })];
    expect(opened(decide(situation(reports, ["a"], { settled: false })))).toBe("keep");
    expect(opened(decide(situation(reports, ["a"])))).toEqual(["a", "b"]);
  });

  test("takes no more than max, and no more than shards", () => {
    const reports = [training("a"), training("b"), ready("c")];
    expect(decide(situation(reports, ["a", "b"], { workers: { min: 1, max: 2 } })).next.kind).toBe("keep");
    expect(decide(situation(reports, ["a", "b"], { shards: 2 })).next.kind).toBe("keep");
  });

  test("is followed by one of the same members after an interruption", () => {
    const interrupted = { outcome: "interrupted", error: error("ERR_ENVIRONMENT", "Redis is silent") } as const;
    const decision = decide(situation([ended("a", interrupted), training("b")], ["a", "b"]));
    expect(opened(decision)).toEqual(["a", "b"]);
    expect(causeOf(decision)).toContain("Redis is silent");
  });

  test("an interruption of an earlier generation is no reason for another one", () => {
    const before = ended("a", { generation: "0-x", outcome: "interrupted", error: error("ERR_STALE_GENERATION") });
    expect(decide(situation([before, training("b")], ["a", "b"])).next.kind).toBe("keep");
  });

  test("gives up a member that others cannot hear, and that has nothing to complain of itself", () => {
    const lost = error("ERR_PEER_LOST", "rank 1 is silent", { rank: 1, silentMs: 9 });
    const decision = decide(
      situation([ended("a", { outcome: "interrupted", error: lost }), training("b"), training("c")], ["a", "b", "c"]),
    );
    expect(opened(decision)).toEqual(["a", "c"]);
    expect(decision.drop.get("b")?.strikes?.code).toBe("ERR_PEER_LOST");
    const both = decide(
      situation(
        [
          ended("a", { outcome: "interrupted", error: lost }),
          ended("b", { outcome: "interrupted", error: error("ERR_ENVIRONMENT") }),
        ],
        ["a", "b"],
      ),
    );
    expect(opened(both)).toEqual(["a", "b"]);
  });

  test("gives up a member that does not take its place, after a while", () => {
    const late = [training("a"), worker("b", { stage: "ready" })];
    expect(decide(situation(late, ["a", "b"])).next.kind).toBe("keep");
    expect(opened(decide(situation(late, ["a", "b"], { overdue: true })))).toEqual(["a"]);
    expect(opened(decide(situation([training("a"), worker("b")], ["a", "b"], { overdue: true, free: [] })))).toEqual([
      "a",
    ]);
  });

  test("ends with the failure that every worker would meet", () => {
    const failed = ended("b", { outcome: "failed", error: error("ERR_NON_FINITE", "NaN in step 7") });
    const { next } = decide(situation([training("a"), failed], ["a", "b"]));
    expect(next).toEqual({ kind: "fail", error: error("ERR_NON_FINITE", "NaN in step 7") });
    const earlier = ended("b", { generation: "0-x", outcome: "failed", error: error("ERR_NON_FINITE") });
    expect(decide(situation([training("a"), earlier], ["a", "b"])).next.kind).toBe("keep");
  });

  test("drops a member with trouble of its own, and goes on", () => {
    const full = worker("a", { stage: "refused", generation: "1-g", error: error("ENOSPC", "disk full") });
    const decision = decide(situation([full, training("b")], ["a", "b"]));
    expect(opened(decision)).toEqual(["b"]);
    expect(decision.drop.get("a")?.strikes?.code).toBe("ENOSPC");
  });

  test("is void when a server has lost what it had, whatever its members say", () => {
    const decision = decide(situation([training("a"), training("b")], ["a", "b"], { voided: "Redis was restarted" }));
    expect(opened(decision)).toEqual(["a", "b"]);
    expect(causeOf(decision)).toBe("Redis was restarted");
  });

  test("whose work is done waits for its result", () => {
    expect(decide(situation([ended("a", { outcome: "done" }), training("b")], ["a", "b"])).next.kind).toBe("keep");
  });
});

describe("a cancelled run", () => {
  const cancelled = true;
  test("has one worker leave a checkpoint: the first that is there", () => {
    const decision = decide(situation([training("b"), training("c")], ["a", "b", "c"], { cancelled }));
    expect(decision.next).toMatchObject({ kind: "open", members: ["b"], action: "save" });
    expect(decision.invite).toEqual([]);
  });

  test("waits for it, and takes another one when that dies", () => {
    const saving = { id: "2-s", members: ["b"], action: "save" } as const;
    const busy = worker("b", { stage: "training", generation: "2-s" });
    const claimed = ["b", "c"];
    const more = { cancelled, generation: saving, claimed };
    expect(decide(situation([busy, ended("c", { outcome: "interrupted" })], [], more)).next.kind).toBe("keep");
    expect(opened(decide(situation([ended("c", { outcome: "interrupted" })], [], more)))).toEqual(["c"]);
  });

  test("ends without one where nobody is there, and says that the last one stands", () => {
    expect(decide(situation([], ["a"], { cancelled })).next).toMatchObject({
      kind: "fail",
      error: { code: "ERR_CANCELLED", message: expect.stringContaining("last checkpoint stands") },
    });
  });
});
