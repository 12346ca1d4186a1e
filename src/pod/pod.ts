/**
 * One pod directory and its lock. Everything here is a rename, a lock or a small file; what a pod runs is decided elsewhere.
 * Nothing is synced: a pod does not outlive a power failure, and gc cleans whatever such a failure leaves.
 */
import { type Dirent, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { makeDirectories, requireOwner } from "../base/directories.ts";
import { errnoOf, excerpt, Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { FileLock } from "../shim/flock.ts";
import { claimantOf, isPodName } from "./names.ts";
import { canMove, type Phase, type PodState, phaseOrder, stateOf } from "./phases.ts";

/** Shortest uuid prefix a user may type (architecture 16). */
const shortestPrefix = 4;

/** `<data>/pods`, which need not be there. @throws Failure NOT_ROOT, WRONG_STATE for a data directory of somebody else (LIFE-90) */
export function podsOf(data: string): string {
  requireOwner(data);
  return join(data, "pods");
}

/** podsOf, with a directory for every phase, all 0700: images' setuid files are in there (T-R50). */
export function openPods(data: string): string {
  const root = podsOf(data);
  try {
    // Made in this order, so that with the last one all of them are there.
    if (!existsSync(join(root, phaseOrder.at(-1) ?? ""))) {
      for (const phase of phaseOrder) makeDirectories(join(root, phase), 0o700);
    }
  } catch (error) {
    throw accessFailure(error, `cannot make ${root}`, root);
  }
  return root;
}

function accessFailure(error: unknown, sentence: string, root: string): Failure {
  const errno = errnoOf(error);
  if (errno !== "EACCES" && errno !== "EPERM") return ioFailure(error, sentence, root);
  return new Failure("NOT_ROOT", `the pods in ${root} are not yours to use`, {
    subject: root,
    cause: error,
    hint: "sudo perigee …, or a data directory of your own: --dir DIRECTORY",
  });
}

/** A pod whose lock this process holds; `release` or the end of the process gives it up. */
export class Pod {
  readonly uuid: string;
  readonly #root: string;
  readonly #lock: FileLock;
  #phase: Phase;

  private constructor(root: string, uuid: string, phase: Phase, lock: FileLock) {
    this.#root = root;
    this.uuid = uuid;
    this.#phase = phase;
    this.#lock = lock;
  }

  /** A new pod in `prepare`, locked. The embryo directory is held shared meanwhile, so that gc can tell dead embryos from ones being made. */
  static create(root: string): Pod {
    const uuid = newUuid();
    const directory = join(root, "embryo", uuid);
    let embryos: FileLock | undefined;
    let lock: FileLock | undefined;
    try {
      embryos = FileLock.open(join(root, "embryo"), "shared", { wait: true });
      mkdirSync(directory, { mode: 0o700 });
      lock = FileLock.open(directory, "exclusive");
      if (lock === undefined) throw new Failure("INTERNAL", `cannot lock the new pod ${uuid}`);
      const pod = new Pod(root, uuid, "embryo", lock);
      pod.move("prepare");
      return pod;
    } catch (error) {
      lock?.release();
      removeEmpty(directory);
      throw accessFailure(error, `cannot make a pod below ${root}`, root);
    } finally {
      embryos?.release();
    }
  }

  /** Takes the lock of a pod in `phase`; undefined when another process holds it, or the pod has moved on. */
  static take(root: string, uuid: string, phase: Phase): Pod | undefined {
    const lock = openLock(join(root, phase, uuid), "exclusive");
    if (lock === undefined) return undefined;
    // Between opening and locking it may have been moved: the path must still be there, now that nobody else can move it.
    if (existsSync(join(root, phase, uuid))) return new Pod(root, uuid, phase, lock);
    lock.release();
    return undefined;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get directory(): string {
    return join(this.#root, this.#phase, this.uuid);
  }

  /** The descriptor of the locked directory, for the shim. */
  get fd(): number {
    return this.#lock.fd;
  }

  move(to: Phase): void {
    if (!canMove(this.#phase, to)) throw new Failure("INTERNAL", `a pod does not move from ${this.#phase} to ${to}`);
    renameSync(this.directory, join(this.#root, to, this.uuid));
    this.#phase = to;
  }

  release(): void {
    this.#lock.release();
  }
}

/** A random one of the kernel's: node:crypto would make one too, and take milliseconds to load. */
function newUuid(): string {
  return readFileSync("/proc/sys/kernel/random/uuid", "latin1").trim();
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Never made, or moved already: gc finds it there.
  }
}

export interface FoundPod {
  readonly uuid: string;
  readonly phase: Phase;
  readonly state: PodState;
  readonly directory: string;
}

/** Phases whose pods are shown, in the order pods move through them. */
const shownPhases = phaseOrder.filter((phase) => phase !== "embryo" && phase !== "garbage");

/** Every pod that is not an embryo or garbage, by uuid; one that moves while we look is reported once, in its later phase. */
export function findPods(root: string): readonly FoundPod[] {
  return podsBy(root, lookAtFound);
}

/** As findPods, for who sees by himself, in the end, whether a pod still stands there: what is said here of one that does not is of no time. */
export function peekAtPods(root: string): readonly FoundPod[] {
  return podsBy(root, peekAt);
}

function podsBy(root: string, look: typeof lookAtFound): readonly FoundPod[] {
  const found = new Map<string, FoundPod>();
  for (const phase of shownPhases) {
    for (const uuid of uuidsIn(root, phase)) {
      const pod = look(root, uuid, phase);
      if (pod !== undefined) found.set(uuid, pod);
    }
  }
  return [...found.values()].sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
}

/** Of all pods that run or are about to, and of some that have ended. No lock is looked at. */
export function directoriesOfPods(root: string): readonly string[] {
  return (["prepare", "run"] as const).flatMap((phase) => uuidsIn(root, phase).map((uuid) => join(root, phase, uuid)));
}

/** One pod wherever it stands now; undefined when it is gone. One that moves while we look is met in its later phase. */
export function findPod(root: string, uuid: string): FoundPod | undefined {
  for (const phase of shownPhases) {
    const pod = lookAt(root, uuid, phase);
    if (pod !== undefined) return pod;
  }
  return undefined;
}

/** Phases in which a pod keeps its name (LIFE-54). */
export const namedPhases: readonly Phase[] = ["prepare", "prepared", "run"];

/** The pod a user means by its name, a uuid or a unique prefix of at least 4 digits. @throws Failure USAGE, NOT_FOUND, AMBIGUOUS */
export function resolvePod(root: string, text: string): FoundPod {
  if (isPodName(text)) return resolveName(root, text);
  const prefix = text.toLowerCase();
  if (!/^[0-9a-f-]{1,36}$/.test(prefix) || prefix.length < shortestPrefix) {
    throw new Failure("USAGE", `${excerpt(text)} is neither uuid nor name of a pod`, {
      subject: text,
      hint: `give at least ${shortestPrefix} digits of a uuid that perigee list shows, or the name of a pod`,
    });
  }
  const matches = isUuid(prefix)
    ? [findPod(root, prefix)].filter((pod) => pod !== undefined)
    : findPods(root).filter((pod) => pod.uuid.slice(0, prefix.length) === prefix);
  const [only, ...others] = matches;
  if (only === undefined) throw noSuchPod(text);
  if (others.length > 0) {
    const uuids = matches.map((pod) => pod.uuid).join(", ");
    throw new Failure("AMBIGUOUS", `${text} could be any of ${matches.length} pods`, {
      subject: text,
      cause: uuids,
      hint: "type more of the uuid",
    });
  }
  return only;
}

function resolveName(root: string, name: string): FoundPod {
  const uuid = claimantOf(root, name);
  const pod = uuid !== undefined && isUuid(uuid) ? findPod(root, uuid) : undefined;
  if (pod === undefined || !namedPhases.includes(pod.phase)) throw noSuchPod(name);
  return pod;
}

export function noSuchPod(text: string): Failure {
  return new Failure("NOT_FOUND", `there is no pod ${text}`, { subject: text, hint: "perigee list" });
}

/** The uuids of one phase; what is not named like a pod is none of ours. */
export function uuidsIn(root: string, phase: Phase): readonly string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(join(root, phase), { withFileTypes: true });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw accessFailure(error, `cannot list the pods in ${root}`, root);
  }
  return entries.filter((entry) => entry.isDirectory() && isUuid(entry.name)).map((entry) => entry.name);
}

export function isUuid(name: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(name);
}

function lookAt(root: string, uuid: string, phase: Phase): FoundPod | undefined {
  return existsSync(join(root, phase, uuid)) ? lookAtFound(root, uuid, phase) : undefined;
}

/** Of a directory that was there a moment ago. */
function lookAtFound(root: string, uuid: string, phase: Phase): FoundPod | undefined {
  const pod = peekAt(root, uuid, phase);
  // It may have moved on meanwhile, and the lock that was held was that of the mover.
  return existsSync(pod.directory) ? pod : undefined;
}

function peekAt(root: string, uuid: string, phase: Phase): FoundPod {
  const directory = `${root}/${phase}/${uuid}`;
  const lock = openLock(directory, "shared");
  lock?.release();
  return { uuid, phase, state: stateOf(phase, lock === undefined), directory };
}

function openLock(directory: string, mode: "shared" | "exclusive"): FileLock | undefined {
  try {
    return FileLock.open(directory, mode, { wait: false });
  } catch (error) {
    if (!existsSync(directory)) return undefined;
    throw error;
  }
}
