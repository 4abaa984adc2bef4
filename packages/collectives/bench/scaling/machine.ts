import { Station, Timeline } from "./timeline.ts";

/** What things cost; measured on one AMD EPYC core (docs/0001-bytes-and-messages.md) but for the network. */
export interface Costs {
  /** ms of Redis a MB (10^6 bytes) that comes in, and that goes out. */
  readonly redisInMsPerMb: number;
  readonly redisOutMsPerMb: number;
  /** ms of Redis a command, and commands of a value that is written (set, script) and that is read (the door, get). */
  readonly redisCommandMs: number;
  readonly commandsPerWrite: number;
  readonly commandsPerRead: number;
  /** ms of a worker's thread a MB sent, received, and added to a sum. */
  readonly sendMsPerMb: number;
  readonly receiveMsPerMb: number;
  readonly addMsPerMb: number;
  /** ms of a worker's thread a message. */
  readonly messageMs: number;
  /** ms from one machine to another. */
  readonly latencyMs: number;
  /** MB a millisecond, each direction of each machine. */
  readonly networkMbPerMs: number;
}

export const MEASURED: Omit<Costs, "latencyMs" | "networkMbPerMs"> = {
  redisInMsPerMb: 0.18,
  redisOutMsPerMb: 0.25,
  redisCommandMs: 0.02,
  commandsPerWrite: 2,
  commandsPerRead: 2,
  sendMsPerMb: 0.25,
  receiveMsPerMb: 0.38,
  addMsPerMb: 0.13,
  messageMs: 0.06,
};

/** A process on a machine: its thread (a Redis server has one, a worker's event loop too) and both directions of its network. */
export interface Process {
  readonly thread: Station;
  readonly out: Station;
  readonly in: Station;
}

/** Workers and Redis servers, each on a machine of its own, or all on one with so many cores and no network. */
export class Machine {
  readonly timeline = new Timeline();
  readonly costs: Costs;
  readonly workers: readonly Process[];
  readonly servers: readonly Process[];

  constructor(costs: Costs, workers: number, servers: number, cores?: number) {
    this.costs = costs;
    const shared = cores === undefined ? undefined : new Station(this.timeline, "cores", cores);
    const process = (name: string): Process => ({
      thread: shared ?? new Station(this.timeline, `${name} thread`),
      out: new Station(this.timeline, `${name} network out`),
      in: new Station(this.timeline, `${name} network in`),
    });
    this.workers = Array.from({ length: workers }, () => process("worker"));
    this.servers = Array.from({ length: servers }, () => process("Redis"));
  }

  /** A worker writes a value of `mb` to a server; `stored` when readers can have it. */
  write(worker: number, server: number, mb: number, stored: () => void): void {
    const { costs } = this;
    const [from, to] = [processOf(this.workers, worker), processOf(this.servers, server)];
    from.thread.serve(costs.messageMs + mb * costs.sendMsPerMb, () =>
      this.#travel(from, to, mb, () =>
        to.thread.serve(costs.commandsPerWrite * costs.redisCommandMs + mb * costs.redisInMsPerMb, stored),
      ),
    );
  }

  /** A worker reads a value that is there: the door names it, a command asks for it. `extra` is what it does with it, ms. */
  read(worker: number, server: number, mb: number, extraMs: number, taken: () => void): void {
    const { costs } = this;
    const [to, from] = [processOf(this.workers, worker), processOf(this.servers, server)];
    this.timeline.after(2 * costs.latencyMs, () =>
      from.thread.serve(costs.commandsPerRead * costs.redisCommandMs + mb * costs.redisOutMsPerMb, () =>
        this.#travel(from, to, mb, () => to.thread.serve(costs.messageMs + mb * costs.receiveMsPerMb + extraMs, taken)),
      ),
    );
  }

  #travel(from: Process, to: Process, mb: number, arrived: () => void): void {
    const { latencyMs, networkMbPerMs } = this.costs;
    if (!Number.isFinite(networkMbPerMs)) {
      this.timeline.after(latencyMs, arrived);
      return;
    }
    const ms = mb / networkMbPerMs;
    from.out.serve(ms, () => this.timeline.after(latencyMs, () => to.in.serve(ms, arrived)));
  }
}

export function processOf(list: readonly Process[], index: number): Process {
  const found = list[index];
  if (!found) throw new RangeError(`No process ${index} of ${list.length}`);
  return found;
}
