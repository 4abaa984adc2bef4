import type { EncodedError } from "@gmc/core";
import type { JobMember, JobNews, JobReport, TrainJobResult } from "@gmc/jobs";
import type { MemberProgress } from "@gmc/protocol";

/** News that are kept of a job. */
const KEPT = 100;

/** What of a job is told to those who watch it: collected here, written by `flush`. */
export class JobReporter {
  readonly #write: (report: JobReport) => Promise<void>;
  readonly #everyMs: number;
  readonly #now: () => number;
  readonly #onNews: (news: JobNews) => void;
  #report: JobReport;
  #changed = false;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #epoch: number;

  /** @param report  what was told before, by another coordinator say */
  constructor(
    report: JobReport,
    write: (report: JobReport) => Promise<void>,
    everyMs = 200,
    now: () => number = () => performance.now(),
    onNews: (news: JobNews) => void = () => {},
  ) {
    this.#report = report;
    this.#write = write;
    this.#everyMs = everyMs;
    this.#now = now;
    this.#onNews = onNews;
    this.#epoch = Math.max(0, ...report.news.map((news) => (news.event === "epoch" ? news.epoch : 0)));
  }

  get report(): JobReport {
    return this.#report;
  }

  /** Adds a piece of news, unless the last one says the same. */
  tell(news: JobNews): void {
    if (JSON.stringify(this.#report.news.at(-1)) === JSON.stringify(news)) return;
    this.#onNews(news);
    const all = [...this.#report.news, news];
    const first = this.#report.first + Math.max(0, all.length - KEPT);
    this.#set({ first, news: all.slice(-KEPT) });
  }

  setMembers(generation: number, members: readonly JobMember[]): void {
    this.#set({ generation, members });
  }

  /** How far the run is; epochs that were closed since the last time become news. */
  setProgress(progress: MemberProgress): void {
    const { step, evaluating } = this.#report.progress ?? {};
    const moved = progress.step !== step || progress.evaluating !== evaluating;
    if (!moved && (progress.closed?.at(-1)?.epoch ?? 0) <= this.#epoch) return;
    for (const closed of progress.closed ?? []) {
      if (closed.epoch <= this.#epoch) continue;
      this.#epoch = closed.epoch;
      this.tell({ event: "epoch", epochs: progress.epochs, ...closed });
    }
    this.#set({ progress });
  }

  setError(error: EncodedError): void {
    this.#set({ error });
  }

  setResult(result: TrainJobResult): void {
    this.#set({ result });
  }

  /** Goes on with this attempt, the queue's count: what another one failed with is no news. */
  goOn(attempt: number): void {
    if (this.#report.attempt === attempt) return;
    this.forgetError();
    this.#set({ attempt });
  }

  /** It is set aside, or tried again: it has not failed. */
  forgetError(): void {
    const { error: _, ...rest } = this.#report;
    this.#report = rest;
    this.#changed = true;
  }

  /** Writes what has changed, a few times a second at most unless `now`. What could not be written still has to be. */
  async flush(now = false): Promise<void> {
    if (!this.#changed || (!now && this.#now() - this.#writtenAt < this.#everyMs)) return;
    this.#changed = false;
    this.#writtenAt = this.#now();
    try {
      await this.#write(this.#report);
    } catch (error) {
      this.#changed = true;
      throw error;
    }
  }

  #set(change: Partial<JobReport>): void {
    this.#report = { ...this.#report, ...change };
    this.#changed = true;
  }
}
