import { styleText } from "node:util";

/** Where a long job stands. */
export interface StatusUpdate {
  /** "Training", "Encoding". */
  readonly label: string;
  /** Units done and wanted, for instance steps. */
  readonly done: number;
  readonly total: number;
  /** What stands between the bar and the time left: "epoch 2/5  loss 6.71". */
  readonly detail: string;
  /** Samples a unit stands for, to show samples/s; absent: no rate is shown. */
  readonly samplesPerUnit?: number;
}

/** One line on the terminal that shows progress: redrawn in place on a TTY, else a plain line about every 10 s. */
export interface Status {
  update(update: StatusUpdate): void;
  /** A line of its own above the bar. */
  note(line: string): void;
  /** Shows the last state once more and leaves the line. */
  end(): void;
}

/** What the status line needs of standard error. */
export interface StatusStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const REDRAW_MS = 100;
const PLAIN_MS = 10_000;
const WINDOW_MS = 15_000; // rates are means over the last 15 s: steady, yet they follow a change
const BAR_CELLS = 20;

/** @param now  milliseconds, monotonic */
export function openStatus(stream: StatusStream, now: () => number = () => performance.now()): Status {
  const interactive = stream.isTTY === true;
  let history: { at: number; done: number }[] = [];
  let latest: StatusUpdate | undefined;
  let shownAt = Number.NEGATIVE_INFINITY;
  let shown: StatusUpdate | undefined;

  const show = () => {
    if (!latest || shown === latest) return;
    shownAt = now();
    shown = latest;
    const line = statusLine(latest, unitsPerSecond(history), interactive);
    stream.write(interactive ? `\r\u001b[2K${clip(line, stream.columns || 80)}` : `${line}\n`);
  };
  const leave = () => {
    show();
    if (interactive && shown) stream.write("\n");
    latest = shown = undefined;
    history = [];
  };
  return {
    update(update) {
      if (latest && latest.label !== update.label) leave();
      latest = update;
      const at = now();
      history.push({ at, done: update.done });
      while (history.length > 2 && (history[0]?.at ?? at) < at - WINDOW_MS) history.shift();
      if (at - shownAt >= (interactive ? REDRAW_MS : PLAIN_MS)) show();
    },
    note(line) {
      stream.write(interactive ? `\r\u001b[2K${line}\n` : `${line}\n`);
      shown = undefined;
      if (interactive) show();
    },
    end: leave,
  };
}

/** "1 h 4 min", "3 min 20 s", "8 s". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

function statusLine(update: StatusUpdate, rate: number, interactive: boolean): string {
  const fraction = update.total > 0 ? Math.min(1, update.done / update.total) : 1;
  const cells = Math.round(fraction * BAR_CELLS);
  const bar = `${styleText("cyan", "━".repeat(cells))}${styleText("dim", "━".repeat(BAR_CELLS - cells))}`;
  const parts = [update.label, ...(interactive ? [bar] : []), `${Math.floor(100 * fraction)} %`, update.detail];
  if (update.samplesPerUnit !== undefined && rate > 0)
    parts.push(`${Math.round(rate * update.samplesPerUnit)} samples/s`);
  if (rate > 0 && update.done < update.total) parts.push(`${duration((update.total - update.done) / rate)} left`);
  return parts.filter((part) => part !== "").join("  ");
}

function unitsPerSecond(history: readonly { at: number; done: number }[]): number {
  const [first, last] = [history[0], history.at(-1)];
  if (!first || !last || last.at <= first.at) return 0;
  return (1000 * (last.done - first.done)) / (last.at - first.at);
}

/** At most `columns` visible characters, so that a redraw never wraps; colour codes do not count. */
function clip(line: string, columns: number): string {
  let visible = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes begin with ESC
  return line.replaceAll(/\u001b\[\d+m|./gsu, (piece) => {
    if (piece.startsWith("\u001b")) return piece;
    visible++;
    return visible < columns ? piece : "";
  });
}
