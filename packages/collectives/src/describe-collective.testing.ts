import { addInto, CancelledError, PeerLostError, randomKey, ShapeError, uniformAt } from "@gmc/core";
import { describe, expect, test } from "vitest";
import type { CallMetrics, Collective } from "./collective.ts";
import { concat, ownBlocks, ownSums, treeReference, vector } from "./reference.testing.ts";

export interface GroupOptions {
  readonly wire?: "fp32" | "bf16";
  readonly timeoutMs?: number;
  readonly onMetrics?: (metrics: CallMetrics) => void;
}
export interface TestGroup {
  readonly members: readonly Collective[];
  close(): Promise<void>;
}
type OpenGroup = (shardsOfWorkers: readonly (readonly number[])[], options: GroupOptions) => Promise<TestGroup>;

/** What every implementation of Collective does; with a group of at least two members the ranks are real neighbours. */
export function describeCollective(name: string, open: OpenGroup): void {
  const withGroup = async (
    shardsOfWorkers: readonly (readonly number[])[],
    options: GroupOptions,
    body: (members: readonly Collective[]) => Promise<void>,
  ): Promise<void> => {
    const group = await open(shardsOfWorkers, options);
    try {
      await body(group.members);
    } finally {
      await group.close();
    }
  };

  describe(name, () => {
    for (const wire of ["fp32", "bf16"] as const) {
      test.each(everyShare())(
        `${wire}: shards shared as %j: everyone has all blocks in order, and the sum of the tree`,
        async (...shares) => {
          await withGroup(shares, { wire }, async (members) => {
            const total = shares.flat().length;
            for (const [turn, length] of [1, 0, 37, 4096, 20_011].entries()) {
              const vectors = Array.from({ length: total }, (_, v) => vector(v, length, turn));
              const gathered = members.map((member) => member.gather(`${turn}/z`, ownBlocks(member, vectors)));
              const reduced = members.flatMap((member) => [
                member.reduce(`${turn}/g`, ownSums(member, vectors, wire)),
                member.reduce(
                  `${turn}/i`,
                  ownSums(member, vectors, wire),
                  undefined,
                  new Float32Array(length),
                  addInto,
                ),
              ]);
              const all = concat(vectors);
              const sum = treeReference(vectors, 0, total, wire);
              for (const result of await Promise.all(gathered)) expectBits(result, all);
              for (const result of await Promise.all(reduced)) expectBits(result, sum);
              await Promise.all(members.map((member) => member.release(`${turn}`)));
            }
          });
        },
      );
    }

    test("many calls at once, started in another order by every worker and at other times, are matched by tag", async () => {
      const shares = [[0, 3], [1], [2]];
      await withGroup(shares, {}, async (members) => {
        const tags = Array.from({ length: 24 }, (_, i) => i);
        const vectorsOf = (tag: number) => [0, 1, 2, 3].map((v) => vector(v, 100 + tag * 311, tag));
        await Promise.all(
          members.map(async (member, rank) => {
            const order = tags.map((_, i) => tags[(i * 5 + rank * 7) % tags.length]!);
            const calls = order.map(async (tag, i) => {
              await pause(((i * 7 + rank * 3) % 5) * 3);
              const vectors = vectorsOf(tag);
              if (tag % 2 === 0)
                expectBits(await member.gather(`s/${tag}`, ownBlocks(member, vectors)), concat(vectors));
              else {
                const got = await member.reduce(`s/${tag}`, ownSums(member, vectors, "fp32"));
                expectBits(got, treeReference(vectors, 0, 4, "fp32"));
              }
            });
            await Promise.all(calls);
          }),
        );
      });
    });

    test("one call after the other in opposite orders does not lock up", async () => {
      await withGroup([[0], [1]], {}, async ([a, b]) => {
        const vectors = [vector(0, 50_000, 1), vector(1, 50_000, 1)];
        const both = async (member: Collective, tags: readonly string[]) => {
          const first = member.reduce(tags[0]!, ownSums(member, vectors, "fp32"));
          const second = member.reduce(tags[1]!, ownSums(member, vectors, "fp32"));
          await Promise.all([first, second]);
        };
        const oneByOne = async (member: Collective, tags: readonly string[]) => {
          for (const tag of tags) await member.reduce(tag, ownSums(member, vectors, "fp32"));
        };
        await Promise.all([both(a!, ["s/1", "s/2"]), oneByOne(b!, ["s/2", "s/1"])]);
      });
    });

    test.each([
      [[0], [1], [2], [3]],
      [
        [0, 1],
        [2, 3],
      ],
      [[0, 1, 2, 3]],
    ])("numbers near the limits of float32: shares %j overflow in the order of the tree", async (...shares) => {
      const huge = 3.4e38;
      const rows = [
        [huge, huge, 1e-45, -0, 1],
        [huge, -huge, 1e-45, -0, Number.NaN],
        [-huge, huge, 0, -0, 1],
        [-huge, -huge, 0, -0, 1],
      ]; // prettier-ignore
      const vectors = rows.map((row) => Float32Array.from(row));
      await withGroup(shares, {}, async (members) => {
        const results = await Promise.all(
          members.map((member) => member.reduce("s/g", ownSums(member, vectors, "fp32"))),
        );
        for (const result of results) {
          expect([...result]).toEqual([Number.NaN, 0, 2.802596928649634e-45, -0, Number.NaN]); // inf + -inf in the first
        }
      });
    });

    test("a gather moves bits: NaN payloads, signed zeros and float64 seen as float32 arrive as they were", async () => {
      await withGroup([[0], [1]], {}, async (members) => {
        const doubles = Float64Array.of(0.1, Number.NaN, -0, 1e-320);
        const patterns = Uint32Array.of(0x7f800001, 0xffc12345, 0x80000000, 0x00000001, 0x7fffffff, 0, 1, 2);
        const vectors = [new Float32Array(doubles.buffer), new Float32Array(patterns.buffer)];
        const results = await Promise.all(members.map((member) => member.gather("s/z", ownBlocks(member, vectors))));
        for (const result of results) {
          expect([...new Float64Array(result.buffer, result.byteOffset, 4)]).toEqual([...doubles]);
          expect([...new Uint32Array(result.buffer, result.byteOffset + 32, 8)]).toEqual([...patterns]);
        }
      });
    });

    test.each([[[[0]]], [[[0], [1]]], [[[1], [0, 2], [3]]]])(
      "shards shared as %j: what one rank broadcasts everyone has, bit for bit, whoever comes first",
      async (shares) => {
        await withGroup(shares, {}, async (members) => {
          const patterns = Uint32Array.of(0x7f800001, 0xffc12345, 0x80000000, 0x00000001);
          const last = members.length - 1;
          const given = [new Float32Array(patterns.buffer), new Float32Array(0), vector(0, 70_001, 0)];
          for (const [turn, values] of given.entries()) {
            for (const root of new Set([0, last])) {
              const results = members.map(async (member, rank) => {
                await pause(((rank * 7 + turn * 3) % 5) * 4);
                return await member.broadcast(`${turn}/${root}`, root, rank === root ? values : undefined);
              });
              for (const result of await Promise.all(results)) expectBits(result, values);
            }
          }
          expect(members[0]!.traffic.calls).toBe(last === 0 ? 3 : 6);
        });
      },
    );

    test("only the rank that broadcasts gives values, and it does", async () => {
      await withGroup([[0], [1]], {}, async ([a]) => {
        await expect(a!.broadcast("s/1", 0, undefined)).rejects.toThrow(/rank 0 gives the values; rank 0 gave none/);
        await expect(a!.broadcast("s/2", 1, new Float32Array(1))).rejects.toThrow(/rank 0 gave some/);
        await expect(a!.broadcast("s/3", 2, undefined)).rejects.toThrow(RangeError);
      });
    });

    test("who broadcasts and does not come is named after the deadline, and who aborts is told so at once", async () => {
      await withGroup([[0], [1]], { timeoutMs: 300 }, async ([a]) => {
        await expect(a!.broadcast("s/1", 1, undefined)).rejects.toMatchObject({
          code: "ERR_PEER_LOST",
          details: { rank: 1 },
        });
        await expect(a!.broadcast("s/2", 1, undefined, AbortSignal.abort())).rejects.toThrow(CancelledError);
      });
    });

    test("a result goes into the array that is given; one of another length is refused", async () => {
      await withGroup([[0], [1]], {}, async (members) => {
        const vectors = [vector(0, 300, 0), vector(1, 300, 0)];
        await Promise.all(
          members.map(async (member) => {
            const [z, g] = [new Float32Array(600), new Float32Array(300)];
            expect(await member.gather("s/z", ownBlocks(member, vectors), undefined, z)).toBe(z);
            expect(await member.reduce("s/g", ownSums(member, vectors, "fp32"), undefined, g)).toBe(g);
            expectBits(z, concat(vectors));
            expectBits(g, treeReference(vectors, 0, 2, "fp32"));
          }),
        );
        const short = members[0]!.gather("s/y", ownBlocks(members[0]!, vectors), undefined, new Float32Array(5));
        await expect(short).rejects.toThrow(ShapeError);
      });
    });

    test("what a worker gave is its own again once its call has settled, while others still wait for it", async () => {
      await withGroup([[0], [1], [2]], {}, async (members) => {
        for (let round = 0; round < 5; round++) {
          const expected = [0, 1, 2].map((v) => vector(v, 60_000, round));
          const results = await Promise.all(
            members.map(async (member, rank) => {
              await pause(rank * 4);
              const mine = expected.map((values) => values.slice());
              const z = await member.gather(`${round}/z`, ownBlocks(member, mine));
              for (const values of mine) values.fill(-1);
              const again = expected.map((values) => values.slice());
              const g = await member.reduce(`${round}/g`, ownSums(member, again, "fp32"));
              for (const values of again) values.fill(-1);
              return { z, g };
            }),
          );
          for (const { z, g } of results) {
            expectBits(z, concat(expected));
            expectBits(g, treeReference(expected, 0, 3, "fp32"));
          }
        }
      });
    });

    test("a worker that does not come is named after the deadline", async () => {
      await withGroup([[0], [1], [2]], { timeoutMs: 300 }, async (members) => {
        const vectors = [0, 1, 2].map((v) => vector(v, 20_000, 0));
        const present = [members[0]!, members[2]!];
        const calls = present.flatMap((member) => [
          member.gather("s/z", ownBlocks(member, vectors)),
          member.reduce("s/g", ownSums(member, vectors, "fp32")),
        ]);
        const failures = await Promise.all(
          calls.map((call) =>
            call.then(
              () => undefined,
              (error: unknown) => error,
            ),
          ),
        );
        const gathers = [failures[0], failures[2]];
        for (const failure of gathers) expect(failure).toMatchObject({ code: "ERR_PEER_LOST", details: { rank: 1 } });
        for (const failure of failures) expect(failure).toBeInstanceOf(PeerLostError);
      });
    });

    test.each(["gather", "reduce"] as const)(
      "%s: who aborts is told so at once, and its memory is left alone",
      async (kind) => {
        await withGroup([[0], [1]], { timeoutMs: 400 }, async ([a, b]) => {
          const vectors = [vector(0, 40_000, 0), vector(1, 40_000, 0)];
          const start = (member: Collective, tag: string, signal?: AbortSignal, into?: Float32Array) =>
            kind === "gather"
              ? member.gather(tag, ownBlocks(member, vectors), signal, into)
              : member.reduce(tag, ownSums(member, vectors, "fp32"), signal, into);
          await expect(start(a!, "s/1", AbortSignal.abort())).rejects.toThrow(CancelledError);

          const into = new Float32Array(kind === "gather" ? 80_000 : 40_000).fill(5);
          const controller = new AbortController();
          const aborted = start(a!, "s/2", controller.signal, into);
          await pause(20); // its own contribution is on its way or there
          controller.abort(new Error("new generation"));
          await expect(aborted).rejects.toThrow(CancelledError);
          await expect(aborted).rejects.toMatchObject({ cause: { message: "new generation" } });
          into.fill(7);
          await start(b!, "s/2").catch((error: unknown) => expect(error).toBeInstanceOf(PeerLostError));
          await pause(20);
          expect(into.every((value) => value === 7)).toBe(true);
        });
      },
    );

    test("vectors of different lengths are refused by who sees both", async () => {
      await withGroup([[0], [1]], { timeoutMs: 500 }, async (members) => {
        const calls = members.map((member, rank) =>
          member.gather("s/z", new Map([[rank, new Float32Array(10 + rank)]])),
        );
        const failures = await Promise.all(
          calls.map((call) =>
            call.then(
              () => undefined,
              (error: unknown) => error,
            ),
          ),
        );
        for (const failure of failures) expect(failure).toBeInstanceOf(ShapeError);
        await expect(
          members[0]!.gather(
            "s/y",
            new Map([
              [0, new Float32Array(1)],
              [1, new Float32Array(1)],
            ]),
          ),
        ).rejects.toThrow(RangeError); // prettier-ignore
      });
    });

    test("a worker gives exactly its shards, and exactly its whole subtrees", async () => {
      await withGroup([[0, 1], [2]], {}, async ([a]) => {
        const one = new Float32Array(1);
        await expect(a!.gather("s/1", new Map([[0, one]]))).rejects.toThrow(/has shards \[0,1\], received \[0\]/);
        await expect(
          a!.gather(
            "s/2",
            new Map([
              [0, one],
              [2, one],
            ]),
          ),
        ).rejects.toThrow(RangeError); // prettier-ignore
        const leaf = { start: 0, end: 1 };
        await expect(a!.reduce("s/3", new Map([[leaf, one]]))).rejects.toThrow(
          /has subtrees \[0-2\], received \[0-1\]/,
        );
        const uneven = new Map([
          [0, one],
          [1, new Float32Array(2)],
        ]); // prettier-ignore
        await expect(a!.gather("s/4", uneven)).rejects.toThrow(ShapeError);
      });
    });

    test("a tag is used once until its scope is released; one that keys cannot have is refused", async () => {
      await withGroup([[0], [1]], {}, async (members) => {
        const call = (tag: string) =>
          Promise.all(members.map((member, rank) => member.gather(tag, new Map([[rank, Float32Array.of(rank)]])))); // prettier-ignore
        await call("5/z");
        await expect(call("5/z")).rejects.toThrow(/"5\/z" was used before/);
        await Promise.all(members.map((member) => member.release("5")));
        for (const result of await call("5/z")) expectBits(result, Float32Array.of(0, 1));
        for (const tag of ["", "a b", "a/", "/a", "a:b", "{a}"]) await expect(call(tag)).rejects.toThrow(RangeError);
      });
    });

    test("close ends what waits, and refuses what comes after", async () => {
      await withGroup([[0], [1]], {}, async ([a]) => {
        const own = new Map([[0, Float32Array.of(1)]]);
        const waiting = a!.gather("s/1", own);
        await pause(10);
        await a!.close();
        await expect(waiting).rejects.toThrow(CancelledError);
        await expect(a!.gather("s/2", own)).rejects.toThrow(CancelledError);
      });
    });

    test("every call is reported with its bytes and times", async () => {
      const seen: CallMetrics[] = [];
      await withGroup([[0], [1]], { onMetrics: (metrics) => seen.push(metrics) }, async (members) => {
        const vectors = [vector(0, 100_000, 0), vector(1, 100_000, 0)];
        await Promise.all(members.map((member) => member.gather("s/z", ownBlocks(member, vectors))));
        await Promise.all(members.map((member) => member.reduce("s/g", ownSums(member, vectors, "fp32"))));
      });
      expect(seen.map(({ call, tag }) => `${call} ${tag}`)).toEqual([
        "gather s/z",
        "gather s/z",
        "reduce s/g",
        "reduce s/g",
      ]);
      for (const { bytesOut, bytesIn, totalMs, sentMs, summedMs, computeMs } of seen) {
        expect(bytesOut).toBeGreaterThanOrEqual(400_000);
        expect(bytesIn).toBeGreaterThanOrEqual(400_000);
        expect(totalMs).toBeGreaterThanOrEqual(Math.max(sentMs, summedMs));
        expect(computeMs).toBeLessThanOrEqual(totalMs);
      }
    });
  });
}

/** One random share of every number of shards from 1 to 8 for every number of workers from 1 to 5, and some by hand. */
function everyShare(): (readonly (readonly number[])[])[] {
  const byHand = [
    [[0, 2], [1]],
    [[7, 0], [3, 1, 2], [6], [5, 4]],
    [[1], [0]],
  ]; // prettier-ignore
  const random = [1, 2, 3, 4, 5, 6, 7, 8].flatMap((shards) =>
    [1, 2, 3, 4, 5].filter((workers) => workers <= shards).map((workers) => randomShare(shards, workers)),
  );
  return [...byHand, ...random];
}

function randomShare(shards: number, workers: number): readonly (readonly number[])[] {
  const key = randomKey(11, `share/${shards}/${workers}`);
  const shares: number[][] = Array.from({ length: workers }, () => []);
  for (let shard = 0; shard < shards; shard++) {
    const anyone = Math.floor(uniformAt(key, shard) * workers);
    shares[shard < workers ? shard : anyone]!.push(shard); // nobody goes without
  }
  return shares;
}

/** Compares bits: NaN payloads and signs of zeros count. A failure names the first place, not two million numbers. */
export function expectBits(received: Float32Array, expected: Float32Array): void {
  expect(received.length).toBe(expected.length);
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) =>
    Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
  const [left, right] = [bytes(received), bytes(expected)];
  if (left.equals(right)) return;
  const at = received.findIndex((_, i) => left.readUInt32LE(i * 4) !== right.readUInt32LE(i * 4));
  expect.fail(`[${at}] is ${received[at]}, expected ${expected[at]}`);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
