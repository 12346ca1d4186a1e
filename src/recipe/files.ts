/** The steps that put files into an image or take them out: what they mean → inputs for the cache's key, and the members of a layer. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeScratchDirectories } from "../base/directories.ts";
import { Failure } from "../base/failure.ts";
import { resolveUser } from "../pod/users.ts";
import { partsOf, pathBytes, type StackView } from "../store/stack.ts";
import type { TarMember } from "../tar/entry.ts";
import { type Context, type ContextFile, type ContextSource, contentOf, findSources } from "./context.ts";
import type { Step, StepOf } from "./document.ts";
import { type Attributes, type LayerDraft, makeDraft } from "./layer.ts";
import { isGlob } from "./patterns.ts";

export type FileStep = StepOf<"copy"> | StepOf<"write"> | StepOf<"mkdir"> | StepOf<"symlink"> | StepOf<"remove">;

export function isFileStep(step: Step): step is FileStep {
  return "copy" in step || "write" in step || "mkdir" in step || "symlink" in step || "remove" in step;
}

/** A file step with everything it depends on but the image it is applied to. */
export interface PreparedFiles {
  /** JSON of everything that decides the result. */
  readonly inputs: unknown;
  members(view: StackView, scratch: string): readonly TarMember[];
}

/** Reads what is copied once, for its digest. @throws Failure NOT_FOUND and what findSources throws */
export function prepareFiles(context: Context, step: FileStep, epoch: number): PreparedFiles {
  if ("copy" in step) return prepareCopy(context, step, epoch);
  return {
    inputs: step,
    members: (view, scratch) => {
      const draft = makeDraft(view, epoch);
      apply(draft, step, ownersOf(view, scratch));
      return draft.members();
    },
  };
}

type Owners = (owner: string | undefined) => Pick<Attributes, "uid" | "gid">;

function apply(draft: LayerDraft, step: Exclude<FileStep, StepOf<"copy">>, owners: Owners): void {
  if ("write" in step) {
    const { to, content, owner, mode = "0644" } = step.write;
    const bytes = Buffer.from(content);
    draft.file(pathBytes(to), { ...owners(owner), mode: octal(mode) }, bytes.length, once(bytes));
  } else if ("mkdir" in step) {
    const { path, owner, mode = "0755" } = step.mkdir;
    draft.directory(pathBytes(path), { ...owners(owner), mode: octal(mode) });
  } else if ("symlink" in step) {
    const { path, target, owner } = step.symlink;
    draft.symlink(pathBytes(path), Buffer.from(target).toString("latin1"), owners(owner));
  } else {
    for (const path of [step.remove].flat()) draft.whiteout(pathBytes(path));
  }
}

function prepareCopy(context: Context, { copy }: StepOf<"copy">, epoch: number): PreparedFiles {
  const patterns = [copy.from].flat();
  const sources = patterns.flatMap((from) => findSources(context, from));
  const intoDirectory = copy.to.endsWith("/") || patterns.length > 1 || patterns.some(isGlob);
  const hash = createHash("sha256");
  for (const { name, files } of sources) {
    hash.update(JSON.stringify([name, files.map((file) => describe(file, copy))]));
  }
  return {
    inputs: ["copy", copy.to, intoDirectory, copy.owner, copy.mode, hash.digest("hex")],
    members: (view, scratch) => {
      const draft = makeDraft(view, epoch);
      const owners = ownersOf(view, scratch);
      for (const source of sources) lay(draft, context, source, { copy, intoDirectory, owners });
      return draft.members();
    },
  };
}

/** Times are not among it: they are those of a checkout, and do not get into the image. Owners count only when they are kept. */
function describe({ path, type, mode, uid, gid, link, digest }: ContextFile, { owner }: StepOf<"copy">["copy"]) {
  return [path, type, mode, owner === "keep" ? [uid, gid] : [], link, digest];
}

interface Copying {
  readonly copy: StepOf<"copy">["copy"];
  readonly intoDirectory: boolean;
  readonly owners: Owners;
}

function lay(
  draft: LayerDraft,
  context: Context,
  { name, files }: ContextSource,
  { copy, intoDirectory, owners }: Copying,
): void {
  const target = pathBytes(copy.to);
  const top = intoDirectory ? [target, name].filter((part) => part !== "").join("/") : target;
  /** Directory of the source → where it came to lie: a link of the image is followed. */
  const places = new Map<string, string>();
  const placeOf = (path: string): string => {
    if (path === "") return top;
    const parts = partsOf(path);
    const parent = places.get(parts.slice(0, -1).join("/")) ?? top;
    return `${parent}/${parts.at(-1) ?? ""}`;
  };
  for (const file of files) {
    const owner = copy.owner === "keep" ? { uid: file.uid, gid: file.gid } : owners(copy.owner);
    const place = placeOf(file.path);
    if (file.type === "directory") {
      places.set(file.path, draft.directory(place, { ...owner, mode: directoryMode(copy.mode, file.mode) }));
    } else if (file.type === "symlink") draft.symlink(place, file.link, owner);
    else {
      const mode = copy.mode === undefined ? file.mode : octal(copy.mode);
      draft.file(place, { ...owner, mode }, file.size, contentOf(context, file));
    }
  }
}

/** With a mode for files, a directory can be entered by whoever can read it. */
function directoryMode(mode: string | undefined, own: number): number {
  if (mode === undefined) return own;
  const bits = octal(mode) & 0o777;
  return bits | ((bits & 0o444) >> 2);
}

function octal(mode: string): number {
  return Number.parseInt(mode, 8);
}

/** Names are looked up in the image as it is at this step; `scratch` is an empty directory for the two files. */
function ownersOf(view: StackView, scratch: string): Owners {
  const known = new Map<string, Pick<Attributes, "uid" | "gid">>();
  return (owner = "0:0") => {
    const found = known.get(owner) ?? resolveOwner(view, scratch, owner);
    known.set(owner, found);
    return found;
  };
}

function resolveOwner(view: StackView, scratch: string, owner: string): Pick<Attributes, "uid" | "gid"> {
  const [user = "", group] = owner.split(":");
  if (owner === "keep" || user[0] === "/" || group?.[0] === "/") {
    throw new Failure("USAGE", `RECIPE-6: ${owner} is no owner here`, { hint: "USER or USER:GROUP, numbers or names" });
  }
  const root = accountsOf(view, scratch);
  const { uid, gid } = resolveUser(root, {
    user,
    group: group ?? (/^\d+$/.test(user) ? user : "0"),
    supplementaryGIDs: [],
  });
  return { uid, gid: group === undefined && !/^\d+$/.test(user) ? primaryGroup(view, user) : gid };
}

/** A directory that has of the image what says who its users are, for what reads one directory and not a stack. */
export function accountsOf(view: StackView, scratch: string): string {
  const etc = join(scratch, "accounts", "etc");
  makeScratchDirectories(etc, 0o700);
  for (const name of ["passwd", "group"]) {
    const bytes = view.read(`etc/${name}`, 1024 * 1024);
    if (bytes !== undefined) writeFileSync(join(etc, name), bytes, { mode: 0o600 });
  }
  return join(scratch, "accounts");
}

function primaryGroup(view: StackView, user: string): number {
  const lines =
    view
      .read("etc/passwd", 1024 * 1024)
      ?.toString("utf8")
      .split("\n") ?? [];
  const gid = lines.map((line) => line.split(":")).find(([name]) => name === user)?.[3] ?? "0";
  return /^\d{1,10}$/.test(gid) ? Number(gid) : 0;
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
