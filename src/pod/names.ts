/**
 * Names of pods, each claimed as a file below `<data>/pod-names` while the directory is locked. A claim counts as long as its pod does; whether
 * it does is for the caller to say.
 */
import { existsSync, readdirSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { errnoOf, excerpt, Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { readStateText } from "../base/state-file.ts";
import { isACName } from "../schema/grammar.ts";
import { FileLock } from "../shim/flock.ts";

const longest = 63;

/** LIFE-54: what could be meant as the beginning of a uuid is no name. */
export function isPodName(text: string): boolean {
  return isACName(text) && text.length <= longest && !/^[0-9a-f-]*$/.test(text);
}

/** `--pod-name`. @throws Failure USAGE */
export function parsePodName(text: string): string {
  if (isPodName(text)) return text;
  throw new Failure("USAGE", `${excerpt(text)} is no name for a pod`, {
    subject: text,
    hint: `at most ${longest} lower-case letters and digits, separated by single -, and not all of them digits or a to f: it would be taken for a uuid`,
  });
}

/** The pod that the name was last given to; it may be gone. `root` is `<data>/pods`. */
export function claimantOf(root: string, name: string): string | undefined {
  return isPodName(name) ? readStateText(join(namesOf(root), name)) : undefined;
}

/** Gives the name to the pod `uuid`, if none that `isLiving` has it. @throws Failure ALREADY_EXISTS naming that pod */
export function claimName(root: string, name: string, uuid: string, isLiving: (uuid: string) => boolean): void {
  withNames(root, (directory) => {
    const holder = claimantOf(root, name);
    if (holder !== undefined && isLiving(holder)) throw taken(name, holder);
    // By rename, so that whoever looks meanwhile finds a whole uuid.
    const temporary = join(directory, `.${uuid}`);
    writeFileSync(temporary, uuid, { mode: 0o600 });
    renameSync(temporary, join(directory, name));
  });
}

function taken(name: string, uuid: string): Failure {
  return new Failure("ALREADY_EXISTS", `pod ${uuid} is called ${name}`, {
    subject: name,
    hint: `perigee rm ${name} (perigee stop first, if it runs), or another name`,
  });
}

/** Gives up the names of pods that are not among `living`, which is asked while nobody can claim one; and what a claim that was cut short left. */
export function releaseNames(root: string, living: () => ReadonlySet<string>): void {
  if (listed(namesOf(root)).length === 0) return;
  withNames(root, (directory) => {
    const alive = living();
    for (const name of listed(directory)) {
      const path = join(directory, name);
      if (!alive.has(readStateText(path) ?? "") || !isPodName(name)) remove(path);
    }
  });
}

/** What is no file is none of ours, and stays. */
function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!["ENOENT", "EISDIR", "EPERM"].includes(errnoOf(error) ?? "")) throw error;
  }
}

function listed(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw ioFailure(error, `cannot list the names in ${directory}`, directory);
  }
}

function namesOf(root: string): string {
  return join(dirname(root), "pod-names");
}

function withNames(root: string, work: (directory: string) => void): void {
  const directory = namesOf(root);
  try {
    if (!existsSync(directory)) makeDirectories(directory, 0o700);
    const lock = FileLock.open(directory, "exclusive", { wait: true });
    try {
      work(directory);
    } finally {
      lock?.release();
    }
  } catch (error) {
    throw ioFailure(error, `cannot change the names of pods in ${directory}`, directory);
  }
}
