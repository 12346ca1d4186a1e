/**
 * What a staging directory says of the download under way in it, so that a later one can go on with it (spec/store.md). Who may
 * touch the directory is decided by its lock, in staging.ts.
 */

import { lstatSync, readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isObject } from "../base/objects.ts";
import { readStateFile } from "../base/state-file.ts";
import { decodeSelfChecking, encodeSelfChecking, isText } from "./records.ts";

export interface Partial {
  /** Bytes of the archive that are there. */
  readonly size: number;
  /** Says, in If-Range, which version of the file they are of. */
  readonly validator: string;
}

const noteOf = (staging: string): string => join(staging, "download");

/** Whether the directory holds a part of what is at `url`. */
export function isPartOf(staging: string, url: string): boolean {
  return readNote(staging)?.url === url && partialIn(staging) !== undefined;
}

/** What is there to go on with; undefined when nothing is. */
export function partialIn(staging: string): Partial | undefined {
  const note = readNote(staging);
  if (note === undefined) return undefined;
  const found = lstatSync(join(staging, "archive"), { throwIfNoEntry: false });
  return found?.isFile() && found.size > 0 ? { size: found.size, validator: note.validator } : undefined;
}

/** Notes a download, or with an undefined validator that it cannot be gone on with. */
export async function noteDownload(staging: string, url: string, validator: string | undefined): Promise<void> {
  await rm(noteOf(staging), { force: true });
  if (validator === undefined) return;
  await writeFile(noteOf(staging), encodeSelfChecking({ url, validator, boot: bootId() }), { flag: "wx", mode: 0o600 });
}

/** Notes that all of what is at `url` is there now. */
export async function noteWhole(staging: string, url: string): Promise<void> {
  await writeFile(join(staging, "downloaded"), encodeSelfChecking({ url }), { flag: "wx", mode: 0o600 });
}

/** Whether the directory holds all of what is at `url`. */
export function isWholeOf(staging: string, url: string): boolean {
  const file = readStateFile(join(staging, "downloaded"));
  const value = "problem" in file ? undefined : decodeSelfChecking(file.bytes);
  return isObject(value) && value["url"] === url;
}

function readNote(staging: string): { readonly url: string; readonly validator: string } | undefined {
  const file = readStateFile(noteOf(staging));
  const value = "problem" in file ? undefined : decodeSelfChecking(file.bytes);
  if (!isObject(value) || !isText(value["url"]) || !isText(value["validator"])) return undefined;
  // The archive is not synced while it grows: after a power loss its length says nothing about its content.
  return value["boot"] === bootId() ? { url: value["url"], validator: value["validator"] } : undefined;
}

function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}
