/** perigee image diff */
import { type ComparedImage, type DifferentFile, diffImages, type ImageDifference } from "../../api/diff-images.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { humanSize } from "../tables.ts";

export default defineCommand({
  name: "image diff",
  arguments: "<before> <after>",
  summary: "Compare two images: manifests, files, sizes",
  description:
    "Each is the ID of a stored image, its name, or the path of an .aci, which is not verified. Compared are the images' own files, not those they depend on; of each that differs the reason is named. " +
    "+ is only in AFTER, - only in BEFORE, ~ in both.",
  options: [["--times", "name files of which only the time differs, too"]],
  examples: [
    "perigee image diff example.com/web:1.0 example.com/web:1.1",
    "perigee image diff old.aci new.aci --format json",
  ],
  notes: [
    "1: it is no image, or breaks a rule",
    "0: also when they differ",
    "2: an ID means several images",
    "3: there is no such image or file",
    "5: the stored archive is not what was fetched",
  ],
  run: ({ args: [before = "", after = ""], options, settings, signal }) =>
    diffImages(settings, { before, after, times: options.flag("times"), signal }),
  text: (difference) => [...heads(difference), ...fields(difference), ...files(difference), ...sizes(difference)],
});

function heads({ before, after }: ImageDifference): readonly string[] {
  const head = (sign: string, { id, name }: ComparedImage) => `${sign} ${printable(name)} ${id.slice(0, 19)}`;
  return before.id === after.id ? [`the same image: ${head("", after).trim()}`] : [head("-", before), head("+", after)];
}

function fields({ manifest }: ImageDifference): readonly string[] {
  if (manifest.length === 0) return [];
  const shown = (value: unknown): string => printable(JSON.stringify(value));
  return [
    "manifest:",
    ...manifest.map(({ field, before, after }) => {
      const name = printable(field);
      if (before === undefined) return `  + ${name}: ${shown(after)}`;
      if (after === undefined) return `  - ${name}: ${shown(before)}`;
      return `  ~ ${name}: ${shown(before)} → ${shown(after)}`;
    }),
  ];
}

function files({ added, removed, changed, timeOnly }: ImageDifference): readonly string[] {
  const lines = [
    ...added.map(({ path, facts }) => ({ path, line: `  + ${path}  ${facts.type}, ${humanSize(facts.size)}` })),
    ...removed.map(({ path, facts }) => ({ path, line: `  - ${path}  ${facts.type}, ${humanSize(facts.size)}` })),
    ...changed.map((file) => ({ path: file.path, line: `  ~ ${file.path}  ${reasonsOf(file)}` })),
  ].sort((a, b) => (a.path < b.path ? -1 : 1));
  const counts = `files: ${added.length} added, ${removed.length} removed, ${changed.length} changed`;
  const rest = timeOnly > 0 ? `, of ${timeOnly} only the time differs` : "";
  return lines.length + timeOnly === 0 ? [] : [`${counts}${rest}`, ...lines.map(({ line }) => line)];
}

function reasonsOf({ why, before, after }: DifferentFile): string {
  const detail: Readonly<Record<string, string>> = {
    type: `type ${before.type} → ${after.type}`,
    mode: `mode ${octal(before.mode)} → ${octal(after.mode)}`,
    owner: `owner ${before.uid}:${before.gid} → ${after.uid}:${after.gid}`,
    content: before.size === after.size ? "content" : `content (${humanSize(before.size)} → ${humanSize(after.size)})`,
  };
  return why.map((reason) => detail[reason] ?? reason).join(", ");
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function sizes({ before, after }: ImageDifference): readonly string[] {
  if (before.id === after.id) return [];
  const change = (what: string, one: number, other: number) => `  ${what}: ${humanSize(one)} → ${humanSize(other)}`;
  return [
    "sizes:",
    change("tar", before.tarSize, after.tarSize),
    change("files", before.fileBytes, after.fileBytes),
    `  entries: ${before.entries} → ${after.entries}`,
  ];
}
