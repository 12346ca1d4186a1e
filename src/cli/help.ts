/** Help as lines: the front page, one command, one topic. Made from declarations; never loads a command by itself. */

import type { Command } from "./command.ts";
import { commandGroups, commands, commandsBelow } from "./commands/index.ts";
import { globalDeclarations } from "./globals.ts";
import { declareOptions, type OptionDeclaration } from "./options.ts";
import { formatTable, wrap } from "./tables.ts";

/** `perigee` alone: what a newcomer needs, in twelve lines. */
export const frontPage: readonly string[] = [
  "perigee builds, signs, publishes, fetches and runs App Container Images.",
  "",
  "  perigee build DIR OUT.aci        make an image of DIR/manifest and DIR/rootfs",
  "  perigee sign OUT.aci             sign it (perigee key generate makes a key)",
  "  perigee trust --prefix NAME      trust a publisher's key for names below NAME",
  "  perigee fetch NAME[:VERSION]     fetch and verify an image",
  "  perigee run NAME                 run it as a pod",
  "  perigee list                     show pods",
  "  perigee gc                       remove what ended",
  "",
  "All commands: perigee --help. One command: perigee COMMAND --help.",
  "Topics: perigee help exit-codes, environment, formatting, trust.",
];

/** `perigee --help`: every command by group, and the global options. */
export function overview(): readonly string[] {
  const lines = ["Usage: perigee [GLOBAL OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]", ""];
  for (const group of commandGroups) {
    const rows = [...commands]
      .filter(([, entry]) => entry.group === group)
      .map(([name, entry]) => [name, entry.summary]);
    lines.push(`${group}:`, ...indent(aligned(rows)), "");
  }
  lines.push("Global options:", ...optionLines(globalDeclarations), "");
  lines.push(
    "Help for one command: perigee COMMAND --help",
    "Topics: perigee help exit-codes | environment | formatting | trust",
  );
  return lines;
}

/** `perigee image --help`: the commands of a group word. */
export function groupHelp(word: string): readonly string[] {
  return [`Usage: perigee ${word} COMMAND`, "", "Commands:", ...linesBelow(word)];
}

function linesBelow(word: string): readonly string[] {
  return indent(aligned(commandsBelow(word).map((name) => [name, commands.get(name)?.summary ?? ""])));
}

export function usageOf(command: Command): string {
  const hasOwn = command.passThrough !== true && (command.options ?? []).length > 0;
  const own = hasOwn ? " [OPTIONS]" : "";
  const shape = (command.arguments ?? "").replace(/[a-z][a-z0-9-]*/g, (word) => word.toUpperCase());
  const tail = shape.replace(/<([^<>]+)>/g, "$1");
  return `perigee ${command.name}${own}${tail === "" ? "" : ` ${tail}`}`;
}

export const appOptionsTitle = "App options, behind an image";

/** `perigee COMMAND --help` */
export function commandHelp(command: Command): readonly string[] {
  const own = declareOptions(command.options ?? []);
  const app = declareOptions(command.appOptions ?? []);
  const names = new Set([...own, ...app].map(({ long }) => long));
  const globals = globalDeclarations.filter(({ long }) => !names.has(long));
  return [
    `Usage: ${usageOf(command)}`,
    "",
    command.summary,
    ...(command.description === undefined ? [] : ["", ...wrap(command.description, 78)]),
    ...section("See also:", linesBelow(command.name)),
    ...section("Options:", optionLines(own)),
    ...section(`${appOptionsTitle}:`, optionLines(app)),
    ...section("Global options:", optionLines(globals)),
    ...section("Examples:", indent(command.examples)),
    ...section("Exit status:", indent(exitStatusLines(command))),
    ...section(
      "Notes:",
      otherNotes(command).flatMap((note) => indent(wrap(note, 76))),
    ),
  ];
}

/** What a script can tell from the exit status of `command`: the common meanings, then the command's own notes. */
export function exitStatusLines(command: Command): readonly string[] {
  const common =
    command.kind === "run"
      ? [
          "0…255  the app's own; 128+N when signal N ended it",
          "125    perigee failed, 126 the program cannot be executed, 127 it was not found",
        ]
      : ["0  done", "1  failed", "2  the line could not be understood"];
  const others = command.kind === "run" ? [] : ["more: perigee help exit-codes"];
  const numbered = (command.notes ?? []).filter((note) => /^\d+:/.test(note));
  const noted = new Map(numbered.map((note) => [/^\d+/.exec(note)?.[0], note.replace(/^(\d+):\s*/, "$1  ")]));
  const kept = common.filter((line) => !noted.has(/^\d+/.exec(line)?.[0]));
  return [...[...kept, ...noted.values()].sort(byStatus), ...others];
}

/** Notes that are not about an exit status. */
export function otherNotes(command: Command): readonly string[] {
  return (command.notes ?? []).filter((note) => !/^\d+:/.test(note));
}

/** Lines `  --flag VALUE  description (default: x)`, with long descriptions on further lines of their column. */
export function optionLines(declarations: readonly OptionDeclaration[]): readonly string[] {
  const syntaxWidth = Math.max(0, ...declarations.map((option) => optionSyntax(option).length));
  const rows = declarations.flatMap((option) =>
    wrap(optionText(option), Math.max(lineWidth - syntaxWidth - 4, 30)).map((line, index) => [
      index === 0 ? optionSyntax(option) : "",
      line,
    ]),
  );
  return indent(aligned(rows));
}

const lineWidth = 100;

export function optionSyntax({ short, long, value, valueName }: OptionDeclaration): string {
  // Alternatives are typed as they stand; other names are placeholders.
  const name = valueName.includes("|") ? valueName : valueName.toUpperCase();
  const shape = value === "none" ? "" : value === "required" ? ` ${name}` : `[=${name}]`;
  return `${short === undefined ? "" : `${short}, `}${long}${shape}`;
}

export function optionText({ description, fallback, isRepeatable }: OptionDeclaration): string {
  const extras = [...(isRepeatable ? ["repeatable"] : []), ...(fallback === undefined ? [] : [`default: ${fallback}`])];
  return extras.length === 0 ? description : `${description} (${extras.join("; ")})`;
}

function byStatus(one: string, other: string): number {
  return Number.parseInt(one, 10) - Number.parseInt(other, 10);
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", title, ...lines];
}

function indent(lines: readonly string[]): readonly string[] {
  return lines.map((line) => (line === "" ? "" : `  ${line}`));
}

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  return formatTable(["", ""], rows, { legend: false });
}
