import type { Override } from "@gmc/experiment";
import { readChosen } from "./chosen.ts";
import { engineFindings, trainingFinding } from "./engines.ts";
import type { Finding } from "./finding.ts";
import { cardFinding, diskFinding, memoryFinding, nodeFinding, processorFinding, sharpFinding } from "./machine.ts";
import { redisFinding, redisServerFinding } from "./services.ts";

/** What is examined. */
export interface Examination {
  /** Where runs would be written. */
  readonly folder: string;
  /** A run's YAML. */
  readonly config?: string;
  readonly overrides: readonly Override[];
  /** A server that a cluster is to use. */
  readonly redis?: string;
}

/** Everything that training needs, in the order in which one would mend it. */
export async function examine({ folder, config, overrides, redis }: Examination): Promise<Finding[]> {
  const chosen = await readChosen(config, overrides);
  return [
    nodeFinding(),
    ...chosen.findings,
    processorFinding(),
    memoryFinding(),
    await diskFinding(folder),
    await cardFinding(),
    ...(await engineFindings(chosen.engine)),
    ...(redis === undefined ? [] : [await redisFinding(redis)]),
    await redisServerFinding(),
    sharpFinding(),
    ...(chosen.findings.length > 0 ? [await trainingFinding(chosen.engine)] : []),
  ];
}
