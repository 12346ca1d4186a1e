/**
 * Power losses. A disk keeps what was synced; of the rest it may have kept anything. From the record of a run that was killed follows what
 * was not synced at that moment; the directories are then made what a disk could have made of them, one way after the other, and every
 * invariant must hold. Stricter than any one file system: a name survives only when its directory was synced, content only when its
 * file was, each for itself.
 */
import assert from "node:assert/strict";
import {
  cpSync,
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
import { assertInvariants, assertState, settle, stateOf } from "./invariants.ts";
import type { Stage } from "./trials.ts";
import { type Call, type FaultWorld, places } from "./world.ts";

/** A name that was given, and may be lost. */
interface Naming {
  readonly kind: "made" | "linked" | "renamed";
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
      names = names.filter((naming) => dirname(naming.to) !== path);
    } else if (/^rename/.test(call.name)) {
      names.push({ kind: "renamed", from: path, to });
      there.delete(path);
      there.add(to);
    } else if (/^link/.test(call.name)) names.push({ kind: "linked", from: path, to });
    else if (makes.has(call.name) && !there.has(path)) {
      names.push({ kind: "made", from: path, to: path });
      there.add(path);
    }
  }
  const isOurs = (path: string) => places.some((place) => `${path}/`.startsWith(`${world.work.path(place)}/`));
  return { files: pathsOf(dirty, world), names: names.filter(({ to }) => isOurs(to)) };
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

/** What the name meant before is back, where somebody else's content was replaced. */
function loseName({ kind, from, to }: Naming, world: FaultWorld, kept: string): void {
  if (lstatSync(to, { throwIfNoEntry: false }) === undefined) return;
  if (kind === "renamed" && existsSync(dirname(from)) && !existsSync(from)) renameSync(to, from);
  else rmSync(to, { recursive: true, force: true });
  const earlier = join(kept, to.slice(world.work.directory.length));
  if (existsSync(earlier) && lstatSync(earlier).isFile()) cpSync(earlier, to, { preserveTimestamps: true });
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
  for (const at of points) {
    const { unsynced, call } = await killedAt(on, at, disk);
    tally.points += 1;
    for (const [loss, lose] of disk === undefined ? lossesOf(unsynced) : onDisk) {
      tally.images += 1;
      await tryLoss(on, lose, unsynced, at === 0).catch((error: unknown) => {
        tally.problems.push(`${at} ${call}: ${loss}: ${error instanceof Error ? error.message : error}`);
      });
    }
  }
  return tally;
}

/** What was lost is lost already. */
const onDisk: ReadonlyMap<string, Loss> = new Map([["disk", () => {}]]);

async function killedAt(
  { world, name, flow }: Stage,
  at: number,
  disk: Disk | undefined,
): Promise<{ unsynced: Unsynced; call: string }> {
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
  const happened = last === undefined ? calls : calls.slice(0, at - 1);
  const unsynced = unsyncedAfter(happened, world, before);
  if (disk === undefined) world.keep("crash");
  else disk.afterCrash(world.work.directory, (crashed) => world.keep("crash", crashed));
  return {
    unsynced,
    call: last === undefined ? "the end" : `${last.name} ${last.path}`.replace(world.work.directory, ""),
  };
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
    // Answers are not synced: to lose them costs a question.
    const counts = ([path]: readonly [string, string]) => !path.startsWith("data/store/answers");
    assertState(new Map([...stateOf(world)].filter(counts)), new Map([...expected.state].filter(counts)), "durable");
  }
  await assertInvariants(world, flow, expected);
}
