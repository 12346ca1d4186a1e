/** What a benchmark yields, and its table. */
import type { Timing } from "./measure.ts";

export interface Context {
  /** The checkout. */
  readonly project: string;
  /** An empty directory that is removed at the end. */
  readonly work: string;
  readonly program: string;
  log(line: string): void;
}

export interface Row {
  readonly what: string;
  /** `perigee` first, then the others; figures in the unit of the row. */
  readonly figures: readonly { readonly name: string; readonly value: number }[];
  readonly unit: "ms" | "KiB" | "MiB";
  /** The bar: figures[0] ≤ factor × the figure called `of`, ≤ that and `plus`, or ≤ limit. */
  readonly bars: readonly Bar[];
  /** What could not be measured, and why. */
  readonly missing: readonly string[];
}

export type Bar =
  | { readonly factor: number; readonly of: string }
  | { readonly plus: number; readonly of: string }
  | { readonly limit: number };

export function timingRow(
  what: string,
  timings: readonly Timing[],
  bars: readonly Bar[],
  missing: readonly string[] = [],
): Row {
  return { what, figures: timings.map(({ name, median }) => ({ name, value: median })), unit: "ms", bars, missing };
}

export function renderRows(rows: readonly Row[]): readonly string[] {
  const lines = ["| what | measured | bar | verdict |", "|---|---|---|---|"];
  for (const row of rows) {
    const figures = row.figures.map(({ name, value }) => `${name} ${format(value)} ${row.unit}`).join(", ");
    const missing = row.missing.length > 0 ? `; not measured: ${row.missing.join("; ")}` : "";
    const verdicts = row.bars.map((bar) => verdict(row, bar));
    lines.push(
      `| ${row.what} | ${figures}${missing} | ${verdicts.map(([bar]) => bar).join("; ")} | ${verdicts.map(([, text]) => text).join("; ")} |`,
    );
  }
  return lines;
}

function verdict(row: Row, bar: Bar): readonly [string, string] {
  const own = row.figures[0]?.value ?? Number.NaN;
  if ("limit" in bar) return [`≤ ${bar.limit} ${row.unit}`, own <= bar.limit ? "met" : "missed"];
  const other = row.figures.find((figure) => figure.name === bar.of)?.value;
  const text = "plus" in bar ? `≤ ${bar.of} + ${bar.plus} ${row.unit}` : `≤ ${bar.factor} × ${bar.of}`;
  if (other === undefined) return [text, `${bar.of} is not installed`];
  if ("plus" in bar) return [text, `+${format(own - other)}: ${own <= other + bar.plus ? "met" : "missed"}`];
  const ratio = own / other;
  return [text, `${ratio.toFixed(2)}: ${ratio <= bar.factor ? "met" : "missed"}`];
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}
