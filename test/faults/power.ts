/**
 * Power losses. A disk keeps what was synced; of the rest it may have kept anything. From the record of a run that was killed follows what
 * was not synced at that moment; the directories are then made what a disk could have made of them, one way after the other, and every
 * invariant must hold. Stricter than any one file system: a name survives only when its directory was synced, content only when its
 * file was, each for itself.
 */
import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { isObject } from "../../src/base/objects.ts";
import { decodeSelfChecking, encodeSelfChecking } from "../../src/store/records.ts";
import type { Disk } from "./disk.ts";
import { assertInvariants, assertState, type State, settle, stateOf } from "./invariants.ts";
import type { Stage } from "./trials.ts";
import { type Call, type FaultWorld, places } from "./world.ts";

/** A name that was given or taken away, of which the disk may not know. */
interface Naming {
  /** `moved`: renamed, and the disk knows that it is not at `from` any more. */
  readonly kind: "made" | "linked" | "renamed" | "moved" | "removed";
  readonly from: string;
  readonly to: string;
}

interface Unsynced {
  /** Paths of files whose content may be lost. */
  readonly files: readonly string[];
  /** Oldest first. */
  readonly names: readonly Naming[];
}

const writes: ReadonlySet<string> = new Set(
  ["write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fallocate"].concat(
    "copy_file_range",
    "sendfile",
    "splice",
  ),
);
const makes: ReadonlySet<string> = new Set(["open", "openat", "openat2", "creat", "mkdir", "mkdirat"]);
export const isSync = ({ name }: Call): boolean => ["fsync", "fdatasync", "syncfs"].includes(name);

/** What of these calls, which happened one after the other, is on no disk. `before`: paths that were there. */
function unsyncedAfter(calls: readonly Call[], world: FaultWorld, before: ReadonlySet<string>): Unsynced {
  const dirty = new Set<string>();
  // The record does not say which calls failed: who makes what is there already makes nothing.
  const there = new Set(before);
  let names: Naming[] = [];
  for (const call of calls) {
    const [path, to] = [normalize(call.path), normalize(call.to)];
    if (writes.has(call.name)) dirty.add(call.file);
    else if (call.name === "syncfs") {
      dirty.clear();
      names = [];
    } else if (isSync(call)) {
      dirty.delete(call.file);
      names = names.flatMap((naming) => afterSync(naming, path));
    } else if (/^rename/.test(call.name)) {
      names.push({ kind: "renamed", from: path, to });
      there.delete(path);
      there.add(to);
    } else if (/^link/.test(call.name)) names.push({ kind: "linked", from: path, to });
    else if (/^(unlink|rmdir)/.test(call.name)) {
      if (there.delete(path)) names.push({ kind: "removed", from: path, to: path });
    } else if (makes.has(call.name) && !there.has(path)) {
      names.push({ kind: "made", from: path, to: path });
      there.add(path);
    }
  }
  const isOurs = (path: string) => places.some((place) => `${path}/`.startsWith(`${world.work.path(place)}/`));
  return { files: pathsOf(dirty, world), names: names.filter(({ to }) => isOurs(to)) };
}

/** What is still to be lost of it once `directory` was synced. */
function afterSync(naming: Naming, directory: string): readonly Naming[] {
  if (dirname(naming.to) === directory) return [];
  const isGone = naming.kind === "renamed" && dirname(naming.from) === directory;
  return [isGone ? { ...naming, kind: "moved" } : naming];
}

function pathsOf(inodes: ReadonlySet<string>, world: FaultWorld): readonly string[] {
  const paths = [...stateOf(world).keys()].map((path) => world.work.path(path));
  return paths.filter((path) => {
    const { dev, ino } = lstatSync(path);
    // As glibc's major() and minor() take it apart.
    const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
    return inodes.has(`${major}:${minor}:${ino}`);
  });
}

type Loss = (unsynced: Unsynced, world: FaultWorld, kept: string) => void;

function loseNames({ names }: Unsynced, world: FaultWorld, kept: string): void {
  for (const naming of [...names].reverse()) loseName(naming, world, kept);
}

/** What the names meant before is back: content that was replaced, and what was taken away. */
function loseName({ kind, from, to }: Naming, world: FaultWorld, kept: string): void {
  const bringBack = (path: string): void => {
    const earlier = join(kept, path.slice(world.work.directory.length));
    if (isThere(path) || !isThere(earlier) || !isThere(dirname(path))) return;
    const { status, stderr } = world.work.command(["cp", "--archive", earlier, path]);
    assert.equal(status, 0, stderr);
  };
  if (!isThere(to) && kind !== "moved") bringBack(from);
  else if (kind === "renamed" && isThere(dirname(from)) && !isThere(from)) renameSync(to, from);
  else if (kind !== "removed") rmSync(to, { recursive: true, force: true });
  bringBack(to);
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function emptyFiles({ files }: Unsynced): void {
  for (const path of files) truncateSync(path, 0);
}

function zeroFiles({ files }: Unsynced): void {
  for (const path of files) writeFileSync(path, Buffer.alloc(lstatSync(path).size));
}

function lossesOf({ files, names }: Unsynced): ReadonlyMap<string, Loss> {
  const losses = new Map<string, Loss>([["restart", () => {}]]);
  if (files.length > 0) losses.set("empty files", emptyFiles).set("zeros in files", zeroFiles);
  if (names.length > 0) losses.set("no names", loseNames);
  if (files.length > 0 && names.length > 0) {
    losses.set("empty files, no names", (unsynced, world, kept) => {
      emptyFiles(unsynced);
      loseNames(unsynced, world, kept);
    });
  }
  // Out of order: one name is lost and all later ones are there.
  for (const naming of names.slice(0, -1)) {
    losses.set(`without ${naming.kind} ${basename(naming.to)}`, (_, world, kept) => loseName(naming, world, kept));
  }
  return losses;
}

/** The kernel's boot id is another one afterwards; here it has to be changed in what refers to it. */
function restart(world: FaultWorld): void {
  const staging = world.work.path("data", "store", "staging");
  if (!existsSync(staging)) return;
  for (const name of readdirSync(staging)) {
    const path = join(staging, name, "download");
    const note = existsSync(path) ? decodeSelfChecking(readFileSync(path)) : undefined;
    if (isObject(note)) writeFileSync(path, encodeSelfChecking({ ...note, boot: "an earlier one" }));
  }
}

export interface PowerTally {
  points: number;
  images: number;
  readonly problems: string[];
}

/** The numbers of the calls at which power is lost: before every sync, after it, and (0) after the end of the command. */
export function powerPoints(calls: readonly Call[]): readonly number[] {
  const around = calls.flatMap((call, index) => (isSync(call) ? [index + 1, index + 2] : []));
  return [...new Set(around)].filter((at) => at <= calls.length).concat(0);
}

/** Power is lost at each of the points, in every way it can be; with `disk`, on which the world lies, in the one way that its file system has. */
export async function losePower(on: Stage, points: readonly number[], disk?: Disk): Promise<PowerTally> {
  const tally: PowerTally = { points: 0, images: 0, problems: [] };
  for (const at of points) await tryPoint(on, tally, await killedAt(on, at, disk), at === 0, disk);
  return tally;
}

/**
 * The command is killed at each of the points and given again, to its end; then power is lost. What a dead process gave a name to and had not
 * synced yet, the next one finds, and may not rely on.
 */
export async function losePowerAgain(on: Stage, points: readonly number[]): Promise<PowerTally> {
  const tally: PowerTally = { points: 0, images: 0, problems: [] };
  for (const at of points.filter((point) => point !== 0)) {
    await tryPoint(on, tally, await killedAt(on, at, undefined, true), true);
  }
  return tally;
}

async function tryPoint(
  on: Stage,
  tally: PowerTally,
  { unsynced, call }: Crash,
  isAtEnd: boolean,
  disk?: Disk,
): Promise<void> {
  tally.points += 1;
  for (const [loss, lose] of disk === undefined ? lossesOf(unsynced) : onDisk) {
    tally.images += 1;
    await tryLoss(on, lose, unsynced, isAtEnd).catch((error: unknown) => {
      tally.problems.push(`${call}: ${loss}: ${error instanceof Error ? error.message : error}`);
    });
  }
}

/** What was lost is lost already. */
const onDisk: ReadonlyMap<string, Loss> = new Map([["disk", () => {}]]);

interface Crash {
  readonly unsynced: Unsynced;
  /** Where it happened. */
  readonly call: string;
}

/** With `again`, power is lost after the command was given once more, and ended. */
async function killedAt(on: Stage, at: number, disk?: Disk, again = false): Promise<Crash> {
  const { world, name, flow } = on;
  world.restore(name);
  disk?.sync();
  const before = new Set([...stateOf(world).keys()].map((path) => world.work.path(path)));
  const outcome = await world.faulty(
    flow.args(world),
    at === 0 ? { calls: "change" } : { calls: "change", at, fault: { kill: "all" } },
  );
  const calls = world.calls();
  const last = at === 0 ? undefined : calls[at - 1];
  if (last === undefined) assert.equal(outcome.status, 0, outcome.stderr);
  const happened = (last === undefined ? calls : calls.slice(0, at - 1)).concat(again ? await callsAgain(on) : []);
  const unsynced = unsyncedAfter(happened, world, before);
  if (disk === undefined) world.keep("crash");
  else disk.afterCrash(world.work.directory, (crashed) => world.keep("crash", crashed));
  const where = last === undefined ? "the end" : `${at} ${last.name} ${last.path}`;
  return { unsynced, call: where.replaceAll(world.work.directory, "") };
}

async function callsAgain({ world, flow }: Stage): Promise<readonly Call[]> {
  const { status, stderr } = await world.faulty(flow.args(world), { calls: "change" });
  assert.ok(flow.again.includes(status), `the command again: status ${status}\n${stderr}`);
  return world.calls();
}

async function tryLoss(
  { world, name, flow, expected }: Stage,
  lose: Loss,
  unsynced: Unsynced,
  isAtEnd: boolean,
): Promise<void> {
  world.restore("crash");
  lose(unsynced, world, world.work.path("kept", name));
  restart(world);
  if (isAtEnd && flow.isDurable) {
    await settle(world);
    assertDurable(stateOf(world), expected.state);
  }
  await assertInvariants(world, flow, expected);
}

/** Answers are not synced: to lose them costs a question. Whoever needs a lock makes it anew, and what was being written has an age (DUR-5). */
function assertDurable(found: State, expected: State): void {
  const counts = ([path]: readonly [string, string]) =>
    !path.startsWith("data/store/answers") && !/^\.(lock$|.*\.tmp$)/.test(basename(path));
  assertState(new Map([...found].filter(counts)), new Map([...expected].filter(counts)), "durable");
}
