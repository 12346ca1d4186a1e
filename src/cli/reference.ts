/** The reference pages, made from command declarations: Markdown and man pages. Pure; no part of the running program. */
import type { Command } from "./command.ts";
import { globalDeclarations } from "./globals.ts";
import { appOptionsTitle, exitStatusLines, optionSyntax, optionText, otherNotes, usageOf } from "./help.ts";
import { declareOptions, type OptionDeclaration } from "./options.ts";
import { topic, topicNames } from "./topics.ts";

interface OptionGroup {
  readonly title: string;
  readonly options: readonly OptionDeclaration[];
}

function groupsOf(command: Command): readonly OptionGroup[] {
  const own = { title: "Options", options: declareOptions(command.options ?? []) };
  const app = { title: appOptionsTitle, options: declareOptions(command.appOptions ?? []) };
  return [own, app].filter(({ options }) => options.length > 0);
}

const generated = "Made by scripts/reference.mjs from the command table in src/cli/commands/.";

/** docs/reference.md */
export function markdownReference(commands: readonly Command[]): string {
  const lines = [
    "# Reference",
    "",
    `<!-- ${generated} -->`,
    "",
    "Every command takes the [global options](#global-options), before or behind its name. See also the topics",
    `${topicNames.map((name) => `[${name}](#${name})`).join(", ")}.`,
    "",
    ...commands.flatMap(markdownCommand),
    "## Global options",
    "",
    ...markdownOptions(globalDeclarations),
    ...topicNames.flatMap((name) => [`## ${name}`, "", ...fenced(topic(name) ?? [])]),
  ];
  return `${lines.join("\n").trimEnd()}\n`;
}

function markdownCommand(command: Command): readonly string[] {
  return [
    `## perigee ${command.name}`,
    "",
    `${command.summary}.${command.description === undefined ? "" : ` ${command.description}`}`,
    "",
    ...fenced([usageOf(command)]),
    ...groupsOf(command).flatMap(({ title, options }) => [`${title}:`, "", ...markdownOptions(options)]),
    "Examples:",
    "",
    ...fenced(command.examples),
    "Exit status:",
    "",
    ...fenced(exitStatusLines(command)),
    ...otherNotes(command).flatMap((note) => [`Note: ${note}.`, ""]),
  ];
}

function markdownOptions(options: readonly OptionDeclaration[]): readonly string[] {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const rows = options.map((option) => `| \`${cell(optionSyntax(option))}\` | ${cell(optionText(option))} |`);
  return ["| option | meaning |", "|---|---|", ...rows, ""];
}

function fenced(lines: readonly string[]): readonly string[] {
  return ["```", ...lines, "```", ""];
}

/** docs/man/perigee-NAME.1 */
export function manPage(command: Command): string {
  const title = `perigee-${command.name.replaceAll(" ", "-")}`;
  const sections = [
    ...manOptions(command),
    ...manSection("EXAMPLES", [".nf", ...command.examples.map(manText), ".fi"]),
    ...manSection("EXIT STATUS", [".nf", ...exitStatusLines(command).map(manText), ".fi"]),
    ...otherNotes(command).flatMap((note) => manSection("NOTES", [manText(note)])),
    ...manSection("SEE ALSO", [".BR perigee (1)"]),
  ];
  return manDocument(title, command.summary, usageOf(command), command.description ?? `${command.summary}.`, sections);
}

/** docs/man/perigee.1: the commands, the global options, the topics. */
export function overviewPage(commands: readonly Command[]): string {
  const rows = commands.flatMap(({ name, summary }) => [".TP", `.B ${manText(name)}`, manText(summary)]);
  const sections = [
    ...manSection("COMMANDS", rows),
    ...manSection("GLOBAL OPTIONS", globalDeclarations.flatMap(manOption)),
    ...topicNames.flatMap((name) =>
      manSection(name.toUpperCase(), [".nf", ...(topic(name) ?? []).map(manText), ".fi"]),
    ),
  ];
  const about =
    "Builds, signs, publishes, discovers, fetches and runs App Container Images. There is no daemon: each command is one process.";
  return manDocument(
    "perigee",
    "App Container Images and pods",
    "perigee [GLOBAL OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]",
    about,
    sections,
  );
}

function manDocument(
  title: string,
  summary: string,
  usage: string,
  about: string,
  sections: readonly string[],
): string {
  const head = [`.\\" ${generated}`, `.TH ${manText(title).toUpperCase()} 1`];
  const name = manSection("NAME", [`${manText(title)} \\- ${manText(summary)}`]);
  const synopsis = manSection("SYNOPSIS", [".nf", manText(usage), ".fi"]);
  return `${[...head, ...name, ...synopsis, ...manSection("DESCRIPTION", [manText(about)]), ...sections].join("\n")}\n`;
}

function manOptions(command: Command): readonly string[] {
  return groupsOf(command).flatMap(({ title, options }) => manSection(title.toUpperCase(), options.flatMap(manOption)));
}

function manOption(option: OptionDeclaration): readonly string[] {
  return [".TP", `.B ${manText(optionSyntax(option))}`, manText(optionText(option))];
}

function manSection(title: string, lines: readonly string[]): readonly string[] {
  return [`.SH "${manText(title)}"`, ...lines];
}

/** Text as roff takes it literally: no escape, no request at the start of a line, hyphens that can be typed. */
function manText(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}
