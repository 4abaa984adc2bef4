/** Aligned columns for a terminal: the first row is the head; columns of numbers stand right. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const right = widths.map((_, column) =>
    rows.slice(1).every((row) => /^[-\d.,% ]*([kMGT]?B)?$/.test(row[column] ?? "")),
  );
  const line = (row: readonly string[]) =>
    widths
      .map((width, column) => (right[column] ? (row[column] ?? "").padStart(width) : (row[column] ?? "").padEnd(width)))
      .join("  ")
      .trimEnd();
  const [head, ...body] = rows;
  return [...(head ? [line(head), widths.map((width) => "─".repeat(width)).join("──")] : []), ...body.map(line)].join(
    "\n",
  );
}

/** "2,884,224" */
export const grouped = (count: number): string => count.toLocaleString("en-US");

/** "1.5 GB", "310 MB", "12 kB", in powers of 1000. */
export function byteSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"] as const;
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
