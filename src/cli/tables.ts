/** Text for people: columns, sizes, ages. Pure; foreign text in cells is already printable. */
import { humanSize } from "../base/sizes.ts";

export { humanSize };

/** Columns aligned with two spaces, the last one ragged. `legend` false leaves the header line out. */
export function formatTable(
  headers: readonly string[],
  rows: readonly (readonly string[])[],
  options: { readonly legend?: boolean } = {},
): readonly string[] {
  const lines = options.legend === false ? rows : [headers, ...rows];
  const widths = headers.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? "")), 0));
  return lines.map((line) =>
    widths
      .map((width, column) => pad(line[column] ?? "", width))
      .join("  ")
      .trimEnd(),
  );
}

/** How long ago in the largest whole unit: `just now`, `1 minute ago`, `3 days ago`. The future is `just now`: clocks differ. */
export function humanAge(then: Date, now: Date): string {
  const seconds = Math.floor((now.getTime() - then.getTime()) / 1000);
  for (const [unit, length] of units) {
    if (seconds < length) continue;
    const count = Math.floor(seconds / length);
    return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
  }
  return "just now";
}

const units: readonly (readonly [string, number])[] = [
  ["year", 365 * 86400],
  ["month", 30 * 86400],
  ["week", 7 * 86400],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

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

function pad(text: string, width: number): string {
  return text + " ".repeat(width - widthOf(text));
}

/** Code points, which is what a terminal shows for all that our names may hold. Few cells have any that is more than one unit. */
function widthOf(text: string): number {
  return /[\ud800-\udfff]/.test(text) ? [...text].length : text.length;
}
