import { expect, test, vi } from "vitest";
import type { PeerSurroundings } from "./peer.ts";
import { findPeer, peerMilliseconds, peerPlaces } from "./peer.ts";

const linux: PeerSurroundings = { env: {}, platform: "linux", home: "/home/ada", repository: "/code/gmc" };

test("without settings the peer lies beside the repository, its torch in the cache folder or in python3", () => {
  expect(peerPlaces(linux)).toEqual({
    script: "/code/shared/peer/gmc_torch.py",
    pythons: ["/home/ada/.cache/gmc/torch/bin/python", "python3"],
  });
});

test("the cache folder is that of the operating system", () => {
  const first = (surroundings: Partial<PeerSurroundings>) => peerPlaces({ ...linux, ...surroundings }).pythons[0];
  expect(first({ env: { XDG_CACHE_HOME: "/scratch" } })).toBe("/scratch/gmc/torch/bin/python");
  expect(first({ platform: "darwin" })).toBe("/home/ada/Library/Caches/gmc/torch/bin/python");
  expect(first({ platform: "win32", env: { LOCALAPPDATA: "/local" } })).toBe("/local/gmc/torch/Scripts/python.exe");
});

test("GMC_PEER names the script, and GMC_TORCH_PYTHON the only interpreter that is tried", () => {
  const env = { GMC_PEER: "/peer.py", GMC_TORCH_PYTHON: "/opt/python" };
  expect(peerPlaces({ ...linux, env })).toEqual({ script: "/peer.py", pythons: ["/opt/python"] });
});

test("the first interpreter that has torch is taken; later ones are not asked", async () => {
  const torch = vi.fn(async (python: string) => (python === "a" ? undefined : `of ${python}`));
  const places = { script: "/peer.py", pythons: ["a", "b", "c"] };
  expect(await findPeer(places, () => true, torch)).toEqual({ python: "b", script: "/peer.py", torch: "of b" });
  expect(torch.mock.calls).toEqual([["a"], ["b"]]);
});

test("one sentence says whether the script or torch is missing", async () => {
  const places = { script: "/peer.py", pythons: ["a", "b"] };
  const noScript = await findPeer(
    places,
    () => false,
    async () => "2.15.0",
  );
  expect(noScript).toEqual({ missing: expect.stringMatching(/\/peer\.py does not exist; GMC_PEER/) });
  const noTorch = await findPeer(
    places,
    () => true,
    async () => undefined,
  );
  expect(noTorch).toEqual({ missing: expect.stringMatching(/a and b cannot import torch/) });
});

test("an interpreter that does not exist has no torch", async () => {
  const found = await findPeer({ script: "/peer.py", pythons: ["/no/such/python"] }, () => true);
  expect(found).toHaveProperty("missing");
});

test("the peer's milliseconds are read from its JSON line, whatever it prints beside it", () => {
  expect(peerMilliseconds('a warning\n{"peer": "torch 2.15.0", "msPerStep": 76.25}\n')).toBe(76.25);
  expect(() => peerMilliseconds("Segmentation fault")).toThrow(/no msPerStep.*Segmentation fault/);
  expect(() => peerMilliseconds('{"msPerStep": "fast"}')).toThrow(/no msPerStep/);
});
