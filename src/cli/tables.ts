/** Text for people: columns, sizes, ages. Pure; foreign text in cells is already printable. */
import { humanSize } from "../base/sizes.ts";

export { humanSize };

type Lines = readonly (readonly string[])[];

/** Columns aligned with two spaces, the last one ragged. `legend` false leaves the header line out. */
export function formatTable(
  headers: readonly string[],
  rows: Lines,
  options: { readonly legend?: boolean } = {},
): readonly string[] {
  const lines = options.legend === false ? rows : [headers, ...rows];
  const laid = layOut(headers.length, lines, (text) => text.length);
  // Hardly a table has a character of two units, and counting them in each cell takes longer than all else of a thousand lines.
  return isPlain(laid.join("\n")) ? laid : layOut(headers.length, lines, codePoints);
}

/** Loops instead of callbacks: a thousand lines are laid out before V8 has compiled anything. */
function layOut(columns: number, lines: Lines, widthOf: (text: string) => number): readonly string[] {
  const widths: number[] = [];
  for (let column = 0; column < columns; column += 1) {
    let width = 0;
    for (const line of lines) width = Math.max(width, widthOf(line[column] ?? ""));
    widths.push(width);
  }
  const blanks = Array.from({ length: Math.max(...widths) + 3 }, (_, width) => " ".repeat(width));
  // Joined at once: a string for every cell that is added would be garbage by the megabyte.
  const pieces: string[] = [];
  return lines.map((line) => {
    pieces.length = 0;
    for (let column = 0; column < columns; column += 1) {
      const cell = line[column] ?? "";
      pieces.push(cell);
      if (column < columns - 1) pieces.push(blanks[(widths[column] ?? 0) - widthOf(cell) + 2] ?? "");
    }
    return pieces.join("").trimEnd();
  });
}

/** How long ago in the largest whole unit: `just now`, `1 minute ago`, `3 days ago`. The future is `just now`: clocks differ. */
export function humanAge(then: Date, now: Date): string {
  const seconds = Math.floor((now.getTime() - then.getTime()) / 1000);
  if (seconds < 1) return "just now";
  if (seconds < minute) return ago(seconds, "second");
  if (seconds < hour) return ago(seconds / minute, "minute");
  if (seconds < day) return ago(seconds / hour, "hour");
  if (seconds < 7 * day) return ago(seconds / day, "day");
  if (seconds < 30 * day) return ago(seconds / (7 * day), "week");
  if (seconds < 365 * day) return ago(seconds / (30 * day), "month");
  return ago(seconds / (365 * day), "year");
}

/** Seconds. */
const [minute, hour, day] = [60, 3600, 86_400];

function ago(units: number, unit: string): string {
  const count = Math.floor(units);
  return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
}

/** Words of `text` in lines of at most `width` characters; a word that is longer stands alone. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === "" ? word : `${line} ${word}`;
      }
    }
    lines.push(line);
  }
  return lines;
}

/** Whether every character is one unit of UTF-16. */
function isPlain(text: string): boolean {
  return !/[\ud800-\udfff]/.test(text);
}

/** Which is what a terminal shows for all that our names may hold. */
function codePoints(text: string): number {
  return isPlain(text) ? text.length : [...text].length;
}
