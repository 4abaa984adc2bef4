import type { WorkerAssignment, WorkerReport } from "@gmc/protocol";
import { clusterKeys } from "@gmc/protocol";
import type { Lease, RedisConnection, Script } from "@gmc/redis";
import { leaseGuard } from "@gmc/redis";

/** What the pool knows of a run that is conducted here. */
interface ConductedRun {
  /** Workers that it cannot go on without; 0 while it has enough. */
  short: number;
}

/** An assignment outlives its worker's last heartbeat by so much. */
export const ASSIGNMENT_TTL_MS = 60_000;
/** A worker that is busy with a run that nobody conducts is freed after so long: its coordinator may be changing. */
const ORPHAN_MS = 20_000;

/** Who works for which run, and what workers are told. One a coordinator that leads. */
export class Pool {
  readonly #claims = new Map<string, { readonly run: string; assignment: WorkerAssignment }>();
  /** In the order in which they came. */
  readonly #runs = new Map<string, ConductedRun>();
  /** Runs that were conducted here and are over. */
  readonly #over = new Set<string>();
  /** Since when runs that workers are busy with are conducted by nobody. */
  readonly #orphanedAt = new Map<string, number>();
  readonly #now: () => number;
  readonly #onChange: () => void;
  #reports: ReadonlyMap<string, WorkerReport> = new Map();

  /** @param onChange  called when a worker is to be told something new */
  constructor(onChange: () => void = () => {}, now: () => number = () => performance.now()) {
    this.#onChange = onChange;
    this.#now = now;
  }

  /** Takes a run in; until `leave` its claims stand. */
  join(run: string): void {
    this.#runs.set(run, { short: 0 });
    this.#over.delete(run);
    this.#orphanedAt.delete(run);
  }

  /** Lets a run go with all its workers. `over`: they may be told at once that there is nothing to do. */
  leave(run: string, over: boolean): void {
    this.#runs.delete(run);
    if (over) this.#over.add(run);
    for (const [id, claim] of this.#claims) if (claim.run === run) this.#claims.delete(id);
    this.#onChange();
  }

  /** The run cannot begin, or go on, without so many more workers. */
  setShort(run: string, short: number): void {
    const known = this.#runs.get(run);
    if (known) known.short = short;
  }

  /** What `id` is to do for `run` from now on. */
  assign(run: string, id: string, assignment: WorkerAssignment): void {
    this.#claims.set(id, { run, assignment });
    this.#onChange();
  }

  release(run: string, id: string): void {
    if (this.#claims.get(id)?.run !== run) return;
    this.#claims.delete(id);
    this.#onChange();
  }

  /**
   * Ids of workers that a run may invite, the longest there first. Who has enough leaves them to those who are short, and
   * who came later to who came before, unless that one needs more than there are.
   */
  freeFor(run: string): string[] {
    const own = this.#runs.get(run);
    const free = [...this.#reports.values()].filter((report) => this.#isFree(report));
    for (const [other, { short }] of this.#runs) {
      if (other === run && own && own.short > 0) break;
      if (other !== run && short > 0 && short <= free.length) return [];
    }
    return free.sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1)).map(({ id }) => id);
  }

  /** Takes in who is alive, and tells workers that do not show it yet what they have to do. */
  async update(reports: ReadonlyMap<string, WorkerReport>, control: RedisConnection, leader: Lease): Promise<void> {
    this.#reports = reports;
    const orders = [...reports.values()].flatMap((report) => {
      const wanted = this.#wanted(report);
      return wanted ? [{ id: report.id, assignment: wanted }] : [];
    });
    const { key, version } = leaseGuard(leader);
    for (const { id, assignment } of orders) {
      const words = [version, JSON.stringify(assignment), ASSIGNMENT_TTL_MS];
      await control.evaluate(ASSIGN, [key, clusterKeys.assignment(id)], words);
    }
  }

  #isFree({ id, state, task }: WorkerReport): boolean {
    return state !== "leaving" && !this.#claims.has(id) && (task === undefined || this.#isOver(task.run));
  }

  /** What a worker has to be told; undefined where its report shows that it knows. */
  #wanted({ id, task }: WorkerReport): WorkerAssignment | undefined {
    const claim = this.#claims.get(id)?.assignment;
    if (!claim || claim.run === null) return task && this.#isOver(task.run) ? { run: null } : undefined;
    if (task?.run !== claim.run) return claim;
    return claim.generation !== null && task.generation !== claim.generation ? claim : undefined;
  }

  #isOver(run: string): boolean {
    if (this.#runs.has(run)) return true; // conducted here, and it does not claim this worker
    if (this.#over.has(run)) return true;
    const since = this.#orphanedAt.get(run) ?? this.#now();
    this.#orphanedAt.set(run, since);
    return this.#now() - since > ORPHAN_MS;
  }
}

/** Only the coordinator that leads may say what is to be done. */
const ASSIGN: Script = {
  name: "assign-worker",
  lua: `
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
`,
};
