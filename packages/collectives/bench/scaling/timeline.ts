/** What happens at which millisecond, in order of time; what is due at the same time comes in the order it was asked for. */
export class Timeline {
  readonly #heap: { readonly atMs: number; readonly order: number; readonly happen: () => void }[] = [];
  #order = 0;
  nowMs = 0;

  after(delayMs: number, happen: () => void): void {
    const heap = this.#heap;
    heap.push({ atMs: this.nowMs + delayMs, order: this.#order++, happen });
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (this.#before(parent, i)) break;
      this.#swap(i, parent);
      i = parent;
    }
  }

  /** Until nothing is left to happen. */
  run(): void {
    for (let next = this.#take(); next; next = this.#take()) {
      this.nowMs = next.atMs;
      next.happen();
    }
  }

  #take() {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    heap[0] = last;
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      if (left >= heap.length) return first;
      const child = left + 1 < heap.length && this.#before(left + 1, left) ? left + 1 : left;
      if (this.#before(i, child)) return first;
      this.#swap(i, child);
      i = child;
    }
  }

  #before(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (!one || !other) return false;
    return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (one && other) [this.#heap[a], this.#heap[b]] = [other, one];
  }
}

/** A thing that serves so many at a time, first come first served: a core, a thread, one direction of a network card. */
export class Station {
  readonly name: string;
  readonly #timeline: Timeline;
  readonly #waiting: { readonly ms: number; readonly done: () => void }[] = [];
  #head = 0;
  #free: number;
  busyMs = 0;

  constructor(timeline: Timeline, name: string, places = 1) {
    this.#timeline = timeline;
    this.name = name;
    this.#free = places;
  }

  serve(ms: number, done: () => void): void {
    this.#waiting.push({ ms, done });
    this.#next();
  }

  #next(): void {
    const job = this.#free > 0 ? this.#waiting[this.#head] : undefined;
    if (!job) return;
    this.#head++;
    if (this.#head === this.#waiting.length) this.#head = this.#waiting.length = 0;
    this.#free--;
    this.busyMs += job.ms;
    this.#timeline.after(job.ms, () => {
      this.#free++;
      job.done();
      this.#next();
    });
  }
}
