/**
 * What URLs answered last: small self-checking files (spec/store.md), so that the next fetch need not ask, or only asks whether
 * anything changed. Losing one costs a download; nothing is believed because it is here.
 */

import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { replaceUnsynced } from "../base/files.ts";
import { isObject } from "../base/objects.ts";
import { readStateFile } from "../base/state-file.ts";
import { sha512 } from "../shim/sha512.ts";
import type { Store } from "./layout.ts";
import { listNames } from "./lookup.ts";
import { decodeSelfChecking, encodeSelfChecking, isImageID, isText } from "./records.ts";

export interface KeptAnswer {
  readonly url: string;
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
  /** RFC 3339. */
  readonly at: string;
  /** Seconds from `at` for which nobody needs to be asked. */
  readonly maxAge: number;
  /** A server of the Internet gave it, or led to it (T-D03). */
  readonly isPublic?: boolean | undefined;
  /** A small document itself, base64. */
  readonly body?: string | undefined;
  /** What was read in that document, for who knows its form. */
  readonly said?: unknown;
  /** Of an archive: the image it is, and the SHA-512 of its bytes. */
  readonly image?: { readonly id: string; readonly sha512: string } | undefined;
}

export const answersOf = (store: Store): string => join(store.root, "answers");

const pathOf = (store: Store, url: string): string => join(answersOf(store), `${sha512(url)}.json`);

/** Milliseconds; gc removes what nobody asked for so long. */
const keptFor = 30 * 24 * 60 * 60 * 1000;

/** Undefined when there is none, or when it is not whole. */
export function readAnswer(store: Store, url: string): KeptAnswer | undefined {
  const file = readStateFile(pathOf(store, url));
  const value = "problem" in file ? undefined : decodeSelfChecking(file.bytes);
  return isAnswer(value) && value.url === url ? value : undefined;
}

/** Not synced: a torn file is recognised, and only costs a download. */
export async function keepAnswer(store: Store, answer: KeptAnswer): Promise<void> {
  const path = pathOf(store, answer.url);
  makeDirectories(dirname(path), 0o700);
  await replaceUnsynced(path, encodeSelfChecking(answer));
}

/** Paths of what gc may remove: old answers, and what a dead process left. */
export async function oldAnswers(store: Store, now: number): Promise<readonly string[]> {
  // Made with the first answer: a store that never asked anybody has none.
  if (!existsSync(answersOf(store))) return [];
  const old: string[] = [];
  for (const name of listNames(answersOf(store))) {
    const path = join(answersOf(store), name);
    const found = await stat(path).catch(() => undefined);
    // A temporary file lives for an instant; one of an hour ago has no owner.
    const limit = /^[0-9a-f]{128}\.json$/.test(name) ? keptFor : 60 * 60 * 1000;
    if (found !== undefined && now - found.mtimeMs > limit) old.push(path);
  }
  return old;
}

function isAnswer(value: unknown): value is KeptAnswer {
  if (!isObject(value) || !isText(value["url"]) || !isText(value["at"])) return false;
  const { etag, lastModified, maxAge, isPublic, body, image } = value;
  return (
    [etag, lastModified, body].every((field) => field === undefined || isText(field)) &&
    typeof maxAge === "number" &&
    [undefined, true, false].some((one) => one === isPublic) &&
    (image === undefined ||
      (isObject(image) &&
        isText(image["id"]) &&
        isImageID(image["id"]) &&
        /^[0-9a-f]{128}$/.test(String(image["sha512"]))))
  );
}
