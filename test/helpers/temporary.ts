/** Directories of a test's own, removed at its end whatever they hold. */
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where tests put everything; the leak check looks for what is left of it. */
export const temporaryPrefix = `perigee-test-${process.pid}-`;

/** A new empty directory (0700) that is removed when the test, or suite, given by its context has ended. */
export async function temporaryDirectory(context: { after(done: () => Promise<void>): void }): Promise<string> {
  const { path, remove } = await makeTemporary();
  context.after(remove);
  return path;
}

/** As temporaryDirectory, for `before` and `after` hooks that share one. */
export async function makeTemporary(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), temporaryPrefix));
  const remove = async (): Promise<void> => {
    await openUp(path);
    await rm(path, { recursive: true, force: true });
  };
  return { path, remove };
}

/** Whoever is not root cannot empty a directory without write permission, and unpacked images have such. */
async function openUp(directory: string): Promise<void> {
  if (process.geteuid?.() === 0) return;
  await chmod(directory, 0o700);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await openUp(join(directory, entry.name));
  }
}
