/** What each command of an acbuild script means in a recipe (ACB-5…). Where the two differ, docs/acbuild.md says how and why. */
import { posix } from "node:path";
import { printable } from "../base/failure.ts";
import { parseStrictJson } from "../schema/strict-json.ts";
import type { Call, Grammar } from "./acbuild-call.ts";
import { type Place, scriptFailure, type Word } from "./acbuild-words.ts";
import type { RecipeInput } from "./document.ts";

/** A step as it is written; the schema judges it (document.ts). */
export type StepInput = Readonly<Record<string, unknown>>;

/** What the commands so far have said. */
export interface Draft {
  base: RecipeInput["base"];
  /** Where the script names it. */
  basePlace: Place | undefined;
  hasBegun: boolean;
  hasEnded: boolean;
  name: string | undefined;
  output: { readonly path: string; readonly overwrite: boolean } | undefined;
  /** Path of a mount, or port → the name it was added under: acbuild removes by either. */
  readonly namedBy: Map<string, string>;
  readonly notes: string[];
}

export interface Meaning extends Grammar {
  /** The steps of the recipe it becomes; changes the draft for what is no step. */
  readonly steps: (call: Call, draft: Draft, read: (file: Word) => Promise<Buffer>) => Promise<readonly StepInput[]>;
}

type Pure = (call: Call, draft: Draft) => readonly StepInput[];

function command(
  usage: string,
  [least, most]: readonly [number, number],
  steps: Pure,
  more: Partial<Grammar> = {},
): Meaning {
  return { usage, least, most, ...more, steps: async (call, draft) => steps(call, draft) };
}

const text = (call: Call, index: number): string => call.args[index]?.text ?? "";
const texts = ({ args }: Call): string[] => args.map((word) => word.text);
const any = Number.POSITIVE_INFINITY;

/** `add NAME VALUE` and `remove NAME` of what is a map in a manifest. */
function mapCommands(kind: "label" | "annotation" | "environment"): Readonly<Record<string, Meaning>> {
  const change = (name: string, value: string | null) => [{ [kind]: { [name]: value } }];
  return {
    [`${kind} add`]: command("NAME VALUE", [2, 2], (call) => change(text(call, 0), text(call, 1))),
    [`${kind} remove`]: command("NAME", [1, 1], (call) => change(text(call, 0), null)),
  };
}

/** A refusal by name is better than a word that nothing happens at. */
function refused(why: string, hint?: string): Meaning {
  return command("", [0, any], (call) => {
    throw scriptFailure(call.place, "ACB-9", `${call.name}: ${why}`, hint);
  });
}

function ignored(why: string, flags: NonNullable<Meaning["flags"]> = {}): Meaning {
  const note = (call: Call, draft: Draft) => {
    draft.notes.push(`${call.name} does nothing here: ${why}`);
    return [];
  };
  return command("", [0, any], note, { flags });
}

export const commands: Readonly<Record<string, Meaning>> = {
  begin: command("[BASE]", [0, 1], begin, { flags: { "--insecure": "switch", "--build-mode": "value" } }),
  end: command("", [0, 0], (_call, draft) => {
    draft.hasEnded = true;
    return [];
  }),
  write: command("FILE", [1, 1], write, { flags: { "--overwrite": "switch" } }),
  run: command("-- COMMAND…", [1, any], run, {
    isCommand: true,
    flags: { "--insecure": "switch", "--working-dir": "value", "--engine": "value" },
  }),
  copy: command("SOURCE TARGET", [2, 2], (call) => [copyStep([text(call, 0)], withoutSlash(text(call, 1)))]),
  "copy-to-dir": command("SOURCE… DIRECTORY", [2, any], (call) => {
    return [copyStep(texts(call).slice(0, -1), `${withoutSlash(texts(call).at(-1) ?? "")}/`)];
  }),
  "dependency add": command("NAME", [1, 1], addDependency, {
    flags: { "--image-id": "value", "--label": "value", "--size": "value" },
  }),
  "dependency remove": command("NAME", [1, 1], (call) => [{ dependency: { imageName: text(call, 0), remove: true } }]),
  "mount add": command("NAME PATH", [2, 2], addMount, { flags: { "--read-only": "switch" } }),
  "mount remove": command("NAME|PATH", [1, 1], (call, draft) => [
    { mountPoint: { name: nameOf(call, draft, /^\//), remove: true } },
  ]),
  "port add": command("NAME PROTOCOL PORT", [3, 3], addPort, {
    flags: { "--count": "value", "--socket-activated": "switch" },
  }),
  "port remove": command("NAME|PORT", [1, 1], (call, draft) => [
    { port: { name: nameOf(call, draft, /^\d+$/), remove: true } },
  ]),
  ...mapCommands("environment"),
  ...mapCommands("label"),
  ...mapCommands("annotation"),
  "isolator add": { usage: "NAME FILE", least: 2, most: 2, steps: addIsolator },
  "isolator remove": command("NAME", [1, 1], (call) => [{ isolator: { name: text(call, 0), remove: true } }]),
  "set-name": command("NAME", [1, 1], (call, draft) => {
    draft.name = text(call, 0);
    return [{ name: text(call, 0) }];
  }),
  "set-exec": command("-- COMMAND…", [1, any], (call) => [{ exec: texts(call) }], { isCommand: true }),
  "set-user": command("USER", [1, 1], (call) => [{ user: text(call, 0) }]),
  "set-group": command("GROUP", [1, 1], (call) => [{ group: text(call, 0) }]),
  "set-supp-groups": command("GID…", [1, any], (call) => [
    { supplementaryGIDs: call.args.flatMap((word) => word.text.split(",").map((part) => wholeNumber(part, word))) },
  ]),
  "set-working-directory": command("PATH", [1, 1], (call) => [{ workingDirectory: text(call, 0) }]),
  "set-event-handler": command("pre-start|post-stop -- COMMAND…", [2, any], setEventHandler, { isCommand: true }),
  "replace-manifest": command("FILE", [1, 1], (call) => [{ replaceManifest: local(text(call, 0)) }]),
  "cat-manifest": ignored("the result can be looked at with perigee image cat-manifest", {
    "--pretty-print": "switch",
    "--file": "value",
  }),
  version: ignored("perigee version"),
  help: ignored("docs/acbuild.md"),
  "set-tag": refused("tags are for OCI images"),
  layer: refused("layers are for OCI images", "perigee's steps need no layers of their own"),
  "gen-man-pages": refused("the pages of perigee come with it"),
};

function begin(call: Call, draft: Draft): readonly StepInput[] {
  const [word] = call.args;
  const mode = call.flag("--build-mode") ?? "appc";
  if (mode !== "appc")
    throw scriptFailure(call.place, "ACB-9", `only images of the kind appc are built, not ${printable(mode)}`);
  if (call.flag("--insecure") === "true") {
    draft.notes.push("begin --insecure does nothing here: it is perigee build --insecure-options=image that allows it");
  }
  draft.base = word === undefined ? "empty" : baseOf(word);
  draft.basePlace = word?.place ?? call.place;
  return [];
}

/** As acbuild tells them: what begins with a dot or a slash is here, everything else is a name. */
function baseOf(word: Word): RecipeInput["base"] {
  const { text } = word;
  if (text === "") throw scriptFailure(word.place, "ACB-5", "the base is empty", "begin alone means an empty image");
  if (!/^[./~]/.test(text)) return { image: text };
  return /\.(?:aci|tar|tar\.\w+|tgz)$/.test(text) ? { file: text } : { directory: text };
}

function write(call: Call, draft: Draft): readonly StepInput[] {
  if (draft.output !== undefined) {
    throw scriptFailure(call.place, "ACB-6", "a script writes one image", "make a script for each image");
  }
  draft.output = { path: text(call, 0), overwrite: call.flag("--overwrite") === "true" };
  return [];
}

/** ACB-7: acbuild gave commands the network of the host, and its scripts rely on it. */
function run(call: Call, draft: Draft): readonly StepInput[] {
  const engine = call.flag("--engine");
  if (engine !== undefined) {
    draft.notes.push(`run --engine ${engine} does nothing here: commands run in a pod`);
  }
  const workingDirectory = call.flag("--working-dir");
  return [{ run: texts(call), network: "host", ...(workingDirectory === undefined ? {} : { workingDirectory }) }];
}

/** ACB-8: names mean themselves, as they did; owners are kept, as they were. */
function copyStep(sources: readonly string[], to: string): StepInput {
  const from = sources.map((source) => local(source).replace(/[*?[]/g, "[$&]"));
  return { copy: { from, to, owner: "keep" } };
}

/** Without `./` in front and slashes at the end: the schema judges the rest. */
function local(path: string): string {
  return path.replace(/^(?:\.\/+)+/, "").replace(/(?<=[^/])\/+$/, "") || ".";
}

/** acbuild's target is the thing itself, also with a slash behind it. */
function withoutSlash(path: string): string {
  const plain = posix.normalize(path).replace(/(?<!\/)\/+$/, "");
  return plain === "" ? "/" : plain;
}

function addDependency(call: Call): readonly StepInput[] {
  const labels = call.flags("--label").map((word) => {
    const at = word.text.indexOf("=");
    if (at < 1) throw scriptFailure(word.place, "ACB-4", "--label takes NAME=VALUE");
    return { name: word.text.slice(0, at), value: word.text.slice(at + 1) };
  });
  const imageID = call.flag("--image-id");
  const [size] = call.flags("--size");
  const details = {
    ...(imageID === undefined ? {} : { imageID }),
    ...(size === undefined ? {} : { size: wholeNumber(size.text, size) }),
  };
  return [{ dependency: { imageName: text(call, 0), labels, ...details } }];
}

function addMount(call: Call, draft: Draft): readonly StepInput[] {
  const [name, path] = [text(call, 0), text(call, 1)];
  draft.namedBy.set(path, name);
  return [{ mountPoint: { name, path, readOnly: call.flag("--read-only") === "true" } }];
}

function addPort(call: Call, draft: Draft): readonly StepInput[] {
  const [name, protocol, port] = [text(call, 0), text(call, 1), text(call, 2)];
  const [count] = call.flags("--count");
  draft.namedBy.set(port, name);
  const step = {
    name,
    protocol,
    port: wholeNumber(port, call.args[2] ?? call),
    ...(count === undefined ? {} : { count: wholeNumber(count.text, count) }),
    ...(call.flag("--socket-activated") === "true" ? { socketActivated: true } : {}),
  };
  return [{ port: step }];
}

/** The name itself, or of a path or port the name that the script gave it. */
function nameOf(call: Call, { namedBy }: Draft, isOther: RegExp): string {
  const given = text(call, 0);
  if (!isOther.test(given)) return given;
  const name = namedBy.get(given);
  if (name !== undefined) return name;
  throw scriptFailure(call.place, "ACB-5", `the script added nothing at ${printable(given)}`, "remove it by its name");
}

async function addIsolator(
  call: Call,
  _draft: Draft,
  read: (file: Word) => Promise<Buffer>,
): Promise<readonly StepInput[]> {
  const [, file] = call.args;
  if (file === undefined || file.text === "-") {
    throw scriptFailure(
      (file ?? call).place,
      "ACB-9",
      "a value from standard input is not known later",
      "write it into a file",
    );
  }
  return [{ isolator: { name: text(call, 0), value: plain(parseStrictJson(await read(file), file.text)) } }];
}

/** Strict JSON has objects without prototype, which the schema does not take for objects. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

function setEventHandler(call: Call): readonly StepInput[] {
  const [name, ...exec] = call.args
    .filter((word, index) => !(index === 1 && word.text === "--"))
    .map((word) => word.text);
  if (name !== "pre-start" && name !== "post-stop") {
    throw scriptFailure(
      call.place,
      "ACB-5",
      `there is no event ${printable(name ?? "")}; it is pre-start or post-stop`,
    );
  }
  return [{ eventHandler: { name, exec } }];
}

function wholeNumber(text: string, { place }: Pick<Word, "place">): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw scriptFailure(place, "ACB-5", `${printable(text)} is no whole number`);
}
