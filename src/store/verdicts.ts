/**
 * What verifying a stored archive said last: one small self-checking file for each archive (spec/store.md), not synced. What a verdict means
 * is the caller's; whoever can write here can write the records as well, which name the signers that `run` believes.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import type { Log } from "../base/log.ts";
import { keep, readKept } from "./kept.ts";
import type { Store } from "./layout.ts";
import { listNames } from "./lookup.ts";
import { isObject } from "./records.ts";
import { throwAway } from "./staging.ts";

const verdictsOf = (store: Store): string => join(store.root, "verdicts");

const pathOf = (store: Store, archive: string): string => join(verdictsOf(store), `${archive}.json`);

/** @param archive SHA-512 of its bytes, in hex. Undefined when there is none that is whole and of that archive */
export function readVerdict(store: Store, archive: string): unknown {
  const value = readKept(pathOf(store, archive));
  return isObject(value) && value["archive"] === archive ? value["verdict"] : undefined;
}

/** A store that cannot be written to stays as it is. */
export async function keepVerdict(store: Store, archive: string, verdict: object, log: Log): Promise<void> {
  makeDirectories(verdictsOf(store), 0o700);
  await keep(pathOf(store, archive), { archive, verdict }, log);
}

/** Removes those of other archives than `kept`, and what writers who were killed left; one who is at work only has nothing kept. */
export async function sweepVerdicts(store: Store, kept: ReadonlySet<string>): Promise<void> {
  // Made with the first verdict: a store may have none.
  if (!existsSync(verdictsOf(store))) return;
  const unused = listNames(verdictsOf(store)).filter((name) => !kept.has(name.replace(/\.json$/, "")));
  await throwAway(
    store,
    unused.map((name) => join(verdictsOf(store), name)),
  );
}
