import { check, create } from "./ort-call.ts";
import type { OrtLibrary, Pointer } from "./ort-library.ts";

/** Setting of a session that keeps what `operationsOutside` asks for. */
export const RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info";

/** Operations of a session that another provider than `provider` computes, with their number: each is a way to the CPU and back. */
export function operationsOutside(library: OrtLibrary, session: Pointer, provider: string): Record<string, number> {
  const { api, textAt } = library;
  const operations: Record<string, number> = {};
  for (const subgraph of listAt(library, (list, count) => api.Session_GetEpGraphAssignmentInfo(session, list, count))) {
    if (textAt(create(api, (out) => api.EpAssignedSubgraph_GetEpName(subgraph, out))) === provider) continue;
    for (const node of listAt(library, (list, count) => api.EpAssignedSubgraph_GetNodes(subgraph, list, count))) {
      const operation = textAt(create(api, (out) => api.EpAssignedNode_GetOperatorType(node, out)));
      operations[operation] = (operations[operation] ?? 0) + 1;
    }
  }
  return operations;
}

function listAt(
  library: OrtLibrary,
  call: (list: BigUint64Array, count: BigUint64Array) => Pointer,
): readonly bigint[] {
  const [list, count] = [new BigUint64Array(1), new BigUint64Array(1)];
  check(library.api, call(list, count));
  return library.pointersAt(list[0] ?? 0n, Number(count[0] ?? 0n));
}
