/**
 * Where everything of the store lies (spec/store.md), and how a store comes to be. Names only: nothing here knows what a record says.
 * Synchronous, because the hot path of `run` opens the store before it may wait for anything.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { makeDirectories, requireOwner, syncDirectorySync } from "../base/directories.ts";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { readStateFile } from "../base/state-file.ts";
import type { ImageID } from "../schema/image-id.ts";
import { requireSameIds } from "./ids.ts";

/** Paths of the store below the data directory. spec/store.md */
export interface Store {
  readonly root: string;
}

/** The layout this program reads and writes. Another one is refused, never guessed at. */
export const layoutVersion = "1";

/** Below the root; every store has them. */
export const directories = ["blobs", "blobs/sha512", "manifests", "index", "trees", "staging", "turns", "trash"];

export const stagingOf = (store: Store): string => join(store.root, "staging");
/** Locks of those who download, by URL (downloads.ts). Stores of before have none until it is needed. */
export const turnsOf = (store: Store): string => join(store.root, "turns");
export const trashOf = (store: Store): string => join(store.root, "trash");
export const treesOf = (store: Store): string => join(store.root, "trees");
export const indexOf = (store: Store): string => join(store.root, "index");
export const manifestsOf = (store: Store): string => join(store.root, "manifests");
export const blobsOf = (store: Store): string => join(store.root, "blobs", "sha512");
/** What was read of the index, so that it need not be read again (listing.ts); made when it is worth it. */
export const listingOf = (store: Store): string => join(store.root, "listing");
/** What a list of the images shows (listed.ts); made when it is worth it. */
export const listedOf = (store: Store): string => join(store.root, "listed");
/** Where `store check --repair` puts what it took out and cannot make anew; made when needed. */
export const quarantineOf = (store: Store): string => join(store.root, "quarantine");
/** Locked shared by users of the store, exclusively by whoever removes from it. */
export const lockOf = (store: Store): string => join(store.root, "lock");

/** The archive as downloaded. `sha512`: 128 hex digits of its bytes. */
export const blobPath = (store: Store, sha512: string): string => join(blobsOf(store), sha512.slice(0, 2), sha512);
export const signaturePath = (store: Store, sha512: string): string => `${blobPath(store, sha512)}.asc`;
export const manifestPath = (store: Store, id: ImageID): string => join(manifestsOf(store), id);
export const recordPath = (store: Store, id: ImageID): string => join(indexOf(store), `${id}.json`);
export const treePath = (store: Store, treeId: string): string => join(treesOf(store), treeId);
/** Written last: a tree with this file is whole. */
export const treeMarkOf = (tree: string): string => join(tree, "manifest.ok");
export const rootfsOf = (tree: string): string => join(tree, "rootfs");

/** Makes missing directories (0700) and checks the layout version. @throws Failure WRONG_STATE for a store of another version */
export async function openStore(data: string): Promise<Store> {
  return openStoreSync(data);
}

/** As openStore, at once. An existing store costs two system calls. */
export function openStoreSync(data: string): Store {
  const store: Store = { root: join(data, "store") };
  try {
    requireOwner(data);
    if (!hasVersion(store)) createStore(data, store);
    requireSameIds(store);
    return store;
  } catch (error) {
    throw accessFailure(error, store);
  }
}

/** Whether the store is there, complete. @throws Failure WRONG_STATE when it is something else */
function hasVersion(store: Store): boolean {
  const path = join(store.root, "version");
  const file = readStateFile(path, versionLimit);
  if ("problem" in file) {
    if (file.problem === "not readable") accessSync(path, constants.R_OK);
    if (file.problem !== "missing") throw wrongVersion(store, `${path}, which is ${file.problem}`);
    // The version is the first thing made, so a store that has images but no version is not one of ours.
    if (existsSync(blobsOf(store))) throw wrongVersion(store, "no version");
    return false;
  }
  // Zeros are what some file systems keep of a file whose content was not synced.
  const version = file.bytes.toString("utf8").replace(/^\0+$/, "").trimEnd();
  if (version === "") return false;
  if (version !== layoutVersion) throw wrongVersion(store, `version ${printable(version.slice(0, 40))}`);
  // Of the directories made the last. Whatever stands in its place was not left by a making that was interrupted.
  return lstatSync(trashOf(store), { throwIfNoEntry: false }) !== undefined;
}

/** Bytes of the file `version`: some other program's may be longer than ours. */
const versionLimit = 4096;

function wrongVersion(store: Store, found: string): Failure {
  return new Failure("WRONG_STATE", `the store ${store.root} has another layout than this program knows`, {
    subject: store.root,
    cause: `found ${found}, this program knows version ${layoutVersion}`,
    hint: "use the program that made it, or another data directory: --dir DIRECTORY",
  });
}

/**
 * Everything is for the owner alone, whatever the caller's umask and from the first instant: local users can neither list
 * images nor run set-user-id files of one (T-R50). A data directory that was there before keeps its mode.
 */
function createStore(data: string, store: Store): void {
  makeDirectories(data, 0o700);
  makeDirectory(store.root);
  syncDirectorySync(data);
  const version = openSync(
    join(store.root, "version"),
    constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    // Its name is durable before anything else is there, its content when everything is: a loss of power in between leaves an empty file,
    // whose store is completed.
    syncDirectorySync(store.root);
    // Opened, not truncated: somebody may hold it locked already.
    closeSync(openSync(lockOf(store), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
    for (const name of directories) makeDirectory(join(store.root, name));
    syncDirectorySync(dirname(blobsOf(store)));
    syncDirectorySync(store.root);
    // Two processes write the same bytes to the same place.
    writeSync(version, `${layoutVersion}\n`, 0);
    fsyncSync(version);
  } finally {
    closeSync(version);
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, 0o700);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST" || !lstatSync(path).isDirectory()) throw error;
  }
}

function accessFailure(error: unknown, store: Store): Failure {
  const errno = errnoOf(error);
  if (errno === "EACCES" || errno === "EPERM") {
    return new Failure("NOT_ROOT", `the store ${store.root} is not yours to use`, {
      subject: store.root,
      cause: error,
      hint: "run it as the owner of the store, for example with sudo, or use a directory of your own: --dir DIRECTORY",
    });
  }
  return ioFailure(error, `cannot open the store ${store.root}`, dirname(store.root));
}
