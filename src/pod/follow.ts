/**
 * What happens to pods, as it happens: the kernel says that a directory changed (inotify), the files in it say what. Whoever looks first and
 * listens then misses something, so each directory is watched before it is read; and a look at everything now and then finds what changes no
 * file: the lock of a supervisor that was killed.
 */
import { join } from "node:path";
import { historyOf, inOrder, type PodEvent, watchedPhases } from "./history.ts";
import { findPod, uuidsIn } from "./pod.ts";
import { DirectoryWatch } from "./watch.ts";

interface KnownPod {
  readonly name: string | undefined;
  /** event and app → the time of the one that was told last. */
  readonly told: ReadonlyMap<string, string | undefined>;
  readonly directories: readonly string[];
  /** All its apps have ended, and it has not yet. */
  readonly isEnding: boolean;
}

/** Of every pod that is there one entry, and nothing of those that are gone. */
export class PodFollower {
  readonly #root: string;
  readonly #watch: DirectoryWatch;
  readonly #known = new Map<string, KnownPod>();
  readonly #uuidOf = new Map<string, string>();
  readonly #changed = new Set<string>();
  #isBlind = false;

  /** @param onChange there is something to be looked at */
  constructor(root: string, onChange: () => void) {
    this.#root = root;
    this.#watch = new DirectoryWatch((directory, name) => {
      const uuid = this.#uuidOf.get(directory) ?? name;
      if (uuid !== undefined) this.#changed.add(uuid);
      onChange();
    });
  }

  /** Whether a lock is about to be given up, which nobody will tell: look again soon. */
  get isExpecting(): boolean {
    return [...this.#known.values()].some(({ isEnding }) => isEnding);
  }

  /** Whether the directories of phases are not watched, because they are not there yet or the kernel gives no watch. */
  get isBlind(): boolean {
    return this.#isBlind;
  }

  /** What happened since the last look, in order; `everywhere`: also where nothing was told. */
  look(everywhere: boolean): readonly PodEvent[] {
    const wasBlind = this.#isBlind;
    this.#isBlind = watchedPhases.map((phase) => this.#watch.add(join(this.#root, phase))).includes(false);
    const uuids = new Set(this.#changed);
    this.#changed.clear();
    for (const [uuid, { isEnding }] of this.#known) if (everywhere || isEnding) uuids.add(uuid);
    if (everywhere || wasBlind || this.#isBlind) {
      for (const phase of watchedPhases) for (const uuid of uuidsIn(this.#root, phase)) uuids.add(uuid);
    }
    return inOrder([...uuids].flatMap((uuid) => this.#lookAt(uuid)));
  }

  close(): void {
    this.#watch.close();
  }

  #lookAt(uuid: string): readonly PodEvent[] {
    const pod = findPod(this.#root, uuid);
    if (pod === undefined) return this.#forget(uuid);
    const before = this.#known.get(uuid);
    const isAlive = pod.phase !== "exited-garbage" && pod.state !== "exited";
    const directories = isAlive ? ["", "status", "pids"].map((name) => join(pod.directory, name)) : [];
    this.#watchOnly(uuid, before?.directories ?? [], directories);
    // Once more: what was read before it was watched might be old.
    const found = findPod(this.#root, uuid) ?? pod;
    const history = historyOf(found);
    const told = new Map(history.map((event) => [keyOf(event), event.time]));
    const ends = history.filter(({ event }) => event === "app-exited").length;
    const apps = history.filter(({ event }) => event === "app-started").length;
    const isEnding = isAlive && apps > 0 && ends >= apps;
    this.#known.set(uuid, { name: history[0]?.name ?? before?.name, told, directories, isEnding });
    // What is seen to happen, and tells no time, happens now.
    const now = before === undefined ? undefined : new Date().toISOString();
    return history.filter((event) => isNews(event, before)).map((event) => ({ ...event, time: event.time ?? now }));
  }

  /** A pod that came and went between two looks was never known: that it is gone is all that can be said. */
  #forget(uuid: string): readonly PodEvent[] {
    const before = this.#known.get(uuid);
    if (before === undefined) return [];
    this.#watchOnly(uuid, before.directories, []);
    this.#known.delete(uuid);
    return [{ event: "removed", uuid, name: before.name, time: new Date().toISOString() }];
  }

  #watchOnly(uuid: string, before: readonly string[], now: readonly string[]): void {
    for (const directory of before.filter((path) => !now.includes(path))) {
      this.#watch.remove(directory);
      this.#uuidOf.delete(directory);
    }
    for (const directory of now) {
      this.#uuidOf.set(directory, uuid);
      this.#watch.add(directory);
    }
  }
}

function keyOf({ event, app }: PodEvent): string {
  return `${event} ${app ?? ""}`;
}

/** An app that is started again has the same events with other times. A pod begins, is ready and ends once. */
function isNews(event: PodEvent, before: KnownPod | undefined): boolean {
  const key = keyOf(event);
  if (before === undefined || !before.told.has(key)) return true;
  return event.app !== undefined && before.told.get(key) !== event.time;
}
