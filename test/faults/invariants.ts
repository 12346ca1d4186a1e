/** What must hold of our directories after any interruption: I1 to I9 of spec/store.md, looked at from outside, by one function. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, utimesSync } from "node:fs";
import { join, relative } from "node:path";
import type { Store } from "../../src/store/layout.ts";
import { assertSound } from "../helpers/store-check.ts";
import type { Flow } from "./flows.ts";
import type { FaultWorld } from "./world.ts";

/** path → what is there. Of files whose content two whole runs made alike, with the content. */
export type State = ReadonlyMap<string, string>;

export function stateOf(world: FaultWorld): State {
  return new Map(["data", "etc", "out"].flatMap((place) => entriesBelow(world.work.directory, place)));
}

function entriesBelow(root: string, place: string): readonly (readonly [string, string])[] {
  const top = join(root, place);
  if (!existsSync(top)) return [];
  const names = lstatSync(top).isDirectory() ? readdirSync(top, { recursive: true, encoding: "utf8" }) : [];
  const paths = names.map((name) => join(top, name));
  return [top, ...paths].map((path) => {
    const { mode } = lstatSync(path);
    const isFile = (mode & 0o170000) === 0o100000;
    const content = isFile ? ` ${createHash("sha256").update(readFileSync(path)).digest("hex")}` : "";
    return [relative(root, path), `${mode.toString(8)}${content}`] as const;
  });
}

/** What is alike in both; of the rest only that it is there. */
export function common(one: State, other: State): State {
  assert.deepEqual([...one.keys()].sort(), [...other.keys()].sort(), "two whole runs leave the same behind");
  return new Map([...one].map(([path, what]) => [path, what === other.get(path) ? what : "there"]));
}

export function assertState(found: State, expected: State, what: string): void {
  const missing = [...expected].filter(([path, what]) =>
    what === "there" ? !found.has(path) : found.get(path) !== what,
  );
  const added = [...found].filter(([path]) => !expected.has(path));
  const lines = [...missing.map(([path]) => `- ${path}`), ...added.map(([path]) => `+ ${path}`)];
  assert.deepEqual(lines, [], `${what}: what is there is what is there without the fault`);
}

/** I1, I2, I4: nothing half-made has a final name. What is not there yet cannot be wrong. */
export async function assertWhole(world: FaultWorld): Promise<void> {
  const store: Store = { root: world.work.path("data", "store") };
  const version = join(store.root, "version");
  // Until then the store is being made, and nothing can be in it.
  const isMade = existsSync(version) && readFileSync(version, "latin1") === "1\n";
  if (isMade) await assertSound(store);
  const pods = world.work.path("data", "pods");
  const phases = existsSync(pods) ? readdirSync(pods).filter((name) => lstatSync(join(pods, name)).isDirectory()) : [];
  const uuids = phases.flatMap((phase) => readdirSync(join(pods, phase)));
  assert.equal(new Set(uuids).size, uuids.length, "I4: a pod is in one phase");
}

export interface Expected {
  /** After the command and a gc, both undisturbed. */
  readonly state: State;
  /** What lies beside the places. */
  readonly around: State;
}

/**
 * All of them, after a fault: at once what is there is whole (I1, I2, I4), then the command is given again and does what it does otherwise,
 * and after a gc everything is as if there had been no fault (I3, I5 to I8), and nothing beside it changed (I9).
 */
export async function assertInvariants(world: FaultWorld, flow: Flow, expected: Expected): Promise<void> {
  await assertWhole(world);
  age(world);
  const listed = await world.perigee(["image", "list", "--format", "json"]);
  assert.equal(listed.status, 0, `I3: image list\n${listed.stderr}`);
  const again = await world.perigee(flow.args(world));
  assert.ok(flow.again.includes(again.status), `I8: the command again: status ${again.status}\n${again.stderr}`);
  await settle(world);
  await assertWhole(world);
  // Which answers of servers are kept costs a question at most, and who finds a dependency stored already asks none.
  const counts = ([path]: readonly [string, string]) => !path.startsWith("data/store/answers");
  const [found, wanted] = [stateOf(world), expected.state].map((state) => new Map([...state].filter(counts)));
  assertState(found ?? new Map(), wanted ?? new Map(), "I5, I6, I7, I8");
  assertState(around(world), expected.around, "I9");
}

/** Temporary files beside what they become are known as abandoned after an hour: it passes. */
function age(world: FaultWorld): void {
  const before = new Date(Date.now() - 2 * 60 * 60 * 1000);
  for (const path of stateOf(world).keys()) {
    if (path.endsWith(".tmp")) utimesSync(world.work.path(path), before, before);
  }
}

export async function settle(world: FaultWorld): Promise<void> {
  const swept = await world.perigee(["gc"]);
  assert.equal(swept.status, 0, `I3: gc\n${swept.stderr}`);
  assert.doesNotMatch(swept.stderr, /error/, "I3: gc");
}

export function around(world: FaultWorld): State {
  const ours = new Set(["data", "etc", "out", "kept", "record"]);
  const names = readdirSync(world.work.directory).filter((name) => !ours.has(name));
  return new Map(names.flatMap((name) => entriesBelow(world.work.directory, name)));
}
