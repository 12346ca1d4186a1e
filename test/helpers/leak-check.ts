/**
 * What a test may leave behind on the machine (security-and-reliability 5.5, T-L01): taken before and after, the difference
 * must be empty. Looks only; changes nothing. What belongs to another test or checkout is theirs, as far as that can be seen.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { project } from "./program.ts";

/** Kind of thing → what there is of it, each in words that name the thing and do not change while it stays. */
export type Snapshot = Readonly<Record<(typeof kinds)[number], ReadonlySet<string>>>;

const kinds = [
  "mounts",
  "cgroups",
  "network namespaces",
  "links",
  "processes",
  "temporary files",
  "abstract sockets",
  "loop devices",
] as const;

/** Of these the host's own must not go away either (I9). */
const permanent: ReadonlySet<string> = new Set(["mounts", "links", "loop devices"]);

/** Everything there is now. About 20 ms. */
export function leakSnapshot(): Snapshot {
  const all = parseMounts(readFileSync("/proc/self/mountinfo", "utf8"));
  const mounts = all.filter(({ point }) => !isOfAnotherTest(point));
  const sockets = parseAbstractSockets(readFileSync("/proc/net/unix", "utf8"));
  return {
    mounts: new Set(mounts.map(({ id: _, ...mount }) => Object.values(mount).join(" "))),
    cgroups: new Set(mounts.filter(({ type }) => /^cgroup2?$/.test(type)).flatMap(({ point }) => ourCgroupsIn(point))),
    "network namespaces": networkNamespaces(),
    links: new Set(namesIn("/sys/class/net")),
    processes: ourProcesses(),
    "temporary files": new Set(temporaryFiles()),
    "abstract sockets": new Set(sockets.filter((name) => !isOfAnotherTest(name.slice(1)))),
    "loop devices": new Set(loopDevices()),
  };
}

/** @throws AssertionError that lists, by kind, what is new and what of the host's own is gone */
export function assertNoLeaks(before: Snapshot, after: Snapshot): void {
  const lines = differences(before, after);
  assert.equal(lines.length, 0, `left behind:\n${lines.join("\n")}`);
}

/**
 * As assertNoLeaks, on a machine where others make and remove such things too: what is left behind stays, so only that counts which every
 * look of several seconds shows.
 */
export async function assertNothingLeft(before: Snapshot): Promise<void> {
  let lines = differences(before, leakSnapshot());
  for (let look = 0; lines.length > 0 && look < 50; look += 1) {
    await sleep(100);
    const now = new Set(differences(before, leakSnapshot()));
    lines = lines.filter((line) => now.has(line));
  }
  assert.equal(lines.length, 0, `left behind:\n${lines.join("\n")}`);
}

/** One line a thing: `mounts: + /mnt …`; empty when nothing was left behind. */
export function differences(before: Snapshot, after: Snapshot): readonly string[] {
  return kinds.flatMap((kind) => {
    const added = [...after[kind]].filter((thing) => !before[kind].has(thing)).map((thing) => `+ ${thing}`);
    const gone = [...before[kind]].filter((thing) => !after[kind].has(thing)).map((thing) => `- ${thing}`);
    return [...added, ...(permanent.has(kind) ? gone : [])].map((line) => `${kind}: ${line}`);
  });
}

interface Mount {
  /** Given anew to every mount, so it names none. */
  readonly id: string;
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly source: string;
}

/** Lines of mountinfo (proc_pid_mountinfo(5)): optional fields end with a dash. */
export function parseMounts(text: string): readonly Mount[] {
  return linesOf(text).map((line) => {
    const [left = "", right = ""] = line.split(" - ");
    const [id = "", , , root = "", point = ""] = left.split(" ");
    const [type = "", source = ""] = right.split(" ");
    return { id, root, point: unescapeOctal(point), type, source };
  });
}

/** The kernel writes blanks and backslashes in paths as `\040`. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** Names of abstract sockets in /proc/net/unix, without those the kernel names itself (five hex digits). */
export function parseAbstractSockets(text: string): readonly string[] {
  return linesOf(text)
    .map((line) => line.split(/\s+/).slice(7).join(" "))
    .filter((name) => /^@/.test(name) && !/^@[0-9a-f]{5}$/.test(name));
}

/** Others make cgroups as they please; ours have our name in their path, and nobody in them who is known to be another's. */
function ourCgroupsIn(hierarchy: string): readonly string[] {
  return directoriesIn(hierarchy)
    .filter((path) => /\/perigee[/.-]/.test(`${path}/`))
    .filter((path) => (/\/perigee-test-(\d+)[/-]/.exec(`${path}/`)?.[1] ?? String(process.pid)) === String(process.pid))
    .filter((path) => !linesOf(textAt(join(path, "cgroup.procs"))).some((pid) => ownerOf(pid) === "another"));
}

function directoriesIn(root: string): readonly string[] {
  const found: string[] = [];
  const walk = (directory: string): void => {
    for (const entry of entriesIn(directory)) {
      if (!entry.isDirectory()) continue;
      const path = join(directory, entry.name);
      found.push(path);
      walk(path);
    }
  };
  walk(root);
  return found;
}

/** Our own, those of our processes, and those that only a mount keeps (`ip netns`). What else is there comes and goes with others. */
function networkNamespaces(): ReadonlySet<string> {
  const ofProcesses = ["self", ...ourProcessIds()].map((pid) => linkAt(`/proc/${pid}/ns/net`));
  const kept = namesIn("/run/netns").map((name) => `/run/netns/${name}`);
  return new Set([...ofProcesses.filter((name) => name !== undefined), ...kept]);
}

function ourProcesses(): ReadonlySet<string> {
  return new Set(ourProcessIds().map((pid) => `${pid} (started ${startOf(pid)}) ${commandOf(pid)}`));
}

/** Whatever descends from this process, shims of this checkout, and what sits in a control group of ours; zombies too. */
function ourProcessIds(): readonly string[] {
  return processIds().filter((pid) => ownerOf(pid) === "us");
}

/**
 * A shim is known by its name, its checkout by the file it executes (its path is lost: it runs from a mount of its own), and the test it
 * belongs to by the pod directory in which its supervisor works.
 */
function ownerOf(pid: string): "us" | "another" | "nobody" {
  const lineage = lineageOf(pid);
  if (lineage.slice(1).includes(String(process.pid))) return "us";
  const shims = lineage.filter(isShim);
  if (shims.some((shim) => !isOwnShim(shim) || isOfAnotherTest(linkAt(`/proc/${shim}/cwd`) ?? ""))) return "another";
  return shims.length > 0 || isInPodCgroup(pid) ? "us" : "nobody";
}

function lineageOf(pid: string): readonly string[] {
  const lineage = [pid];
  for (let at = parentOf(pid); at !== undefined && at !== "0" && lineage.length < 1000; at = parentOf(at))
    lineage.push(at);
  return lineage;
}

function isShim(pid: string): boolean {
  return /^perigee-(shim|init)\n$/.test(textAt(`/proc/${pid}/comm`)) || isOwnShim(pid);
}

function isOwnShim(pid: string): boolean {
  // An ordinary user's executes a copy in memory; its supervisor works in the pod directory.
  const isCopy = linkAt(`/proc/${pid}/exe`) === "/memfd:perigee-shim (deleted)";
  if (isCopy) return isOfThisTest(linkAt(`/proc/${pid}/cwd`) ?? "");
  const file = fileAt(`/proc/${pid}/exe`);
  return file !== undefined && [program, built, process.env["PERIGEE_SHIM"] ?? built].map(fileAt).includes(file);
}

const program = join(project, "dist", "perigee-shim");
const built = join(project, "native", "build", "perigee-shim");

/** Device and inode; undefined when it is not there. */
function fileAt(path: string): string | undefined {
  return orElse(() => {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  }, undefined);
}

function isInPodCgroup(pid: string): boolean {
  return linesOf(textAt(`/proc/${pid}/cgroup`)).some((line) => /\/perigee(\/|\.|-|$)/.test(line));
}

/** Fields of /proc/PID/stat behind the name, which may hold anything; the first is the state. */
function statFields(pid: string): readonly string[] {
  const text = textAt(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function parentOf(pid: string): string | undefined {
  return statFields(pid)[1];
}

/** With the pid the name of a process, since pids come again. */
function startOf(pid: string): string {
  return statFields(pid)[19] ?? "?";
}

function commandOf(pid: string): string {
  const line = textAt(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  return line === "" ? `[${textAt(`/proc/${pid}/comm`).trim()}]` : line;
}

function processIds(): readonly string[] {
  return namesIn("/proc").filter((name) => /^\d+$/.test(name));
}

function loopDevices(): readonly string[] {
  return namesIn("/sys/block")
    .filter((name) => /^loop\d+$/.test(name))
    .map((name) => `${name} ${textAt(`/sys/block/${name}/loop/backing_file`).trim()}`)
    .filter((device) => !device.endsWith(" ") && !isOfAnotherTest(device));
}

function temporaryFiles(): readonly string[] {
  const ours = namesIn(tmpdir()).filter((name) => /^\.?perigee/.test(name) && !isOfAnotherTest(name));
  return ours.filter((name) => !isInUseByAnother(name));
}

/** Whether it is the place of a `perigee build --check` of somebody else, who is still at it (src/api/check-build.ts). */
function isInUseByAnother(name: string): boolean {
  const pid = /^perigee-check-(\d+)-/.exec(name)?.[1];
  if (pid === undefined || lineageOf(pid).includes(String(process.pid))) return false;
  // Whoever ended since the names were read may have removed it.
  return existsSync(`/proc/${pid}`) || !existsSync(join(tmpdir(), name));
}

/** Whether a path leads into the directory of another test, which looks after it: its name has that one's process. */
export function isOfAnotherTest(path: string): boolean {
  return testsOf(path).some((pid) => pid !== String(process.pid));
}

function isOfThisTest(path: string): boolean {
  return testsOf(path).includes(String(process.pid));
}

function testsOf(path: string): readonly string[] {
  return path.split("/").flatMap((name) => /^perigee-(?!check-\d)[a-z0-9-]+?-(\d+)-/.exec(name)?.[1] ?? []);
}

/** What is gone while it is looked at is not there: processes end at any time. */
function orElse<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

const namesIn = (directory: string): readonly string[] => orElse(() => readdirSync(directory), []);
const entriesIn = (directory: string) => orElse(() => readdirSync(directory, { withFileTypes: true }), []);
const textAt = (path: string): string => orElse(() => readFileSync(path, "utf8"), "");
const linkAt = (path: string): string | undefined => orElse(() => readlinkSync(path), undefined);
const linesOf = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");
