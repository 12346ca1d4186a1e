/** Being woken when something changes in directories (inotify). A wake-up says nothing but that it is time to look. */
import { type FSWatcher, watch } from "node:fs";
import { errnoOf } from "../base/failure.ts";

/** Directories that are watched for as long as somebody wants to know; `close` ends all of it. */
export class DirectoryWatch {
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #onChange: (directory: string, name: string | undefined) => void;

  constructor(onChange: (directory: string, name: string | undefined) => void) {
    this.#onChange = onChange;
  }

  /** False: it is not there, or the kernel gives no more watches, and whoever asks has to look by itself. */
  add(directory: string): boolean {
    if (this.#watchers.has(directory)) return true;
    try {
      const watcher = watch(directory, { persistent: true }, (_, name) => this.#onChange(directory, name ?? undefined));
      // A directory that is removed under its watch: who looks finds that it is gone.
      watcher.on("error", () => this.remove(directory));
      this.#watchers.set(directory, watcher);
      return true;
    } catch (error) {
      if (!["ENOENT", "ENOTDIR", "ENOSPC", "EMFILE", "EACCES"].includes(errnoOf(error) ?? "")) throw error;
      return false;
    }
  }

  remove(directory: string): void {
    this.#watchers.get(directory)?.close();
    this.#watchers.delete(directory);
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }
}
