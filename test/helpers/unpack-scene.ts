/** The stage of the tests of unpack: a target, and a canary beside it that nothing may touch. One set for a whole test file. */
import assert from "node:assert/strict";
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach } from "node:test";
import { type RawEntry, tar } from "./raw-tar.ts";
import { runShim, type Scratch, type ShimOptions, type ShimResult, scratch } from "./shim.ts";

const canary = "nobody may change this";

/** The directory of the current test: `target`, where everything is unpacked, and `outside/canary`. */
export let scene: Scratch;

/** Called once at the top of a test file: every test gets a new scene, and is checked for what it did outside of the target. */
export function setScene(): void {
  beforeEach(() => {
    scene = scratch();
    mkdirSync(scene.at("target"));
    mkdirSync(scene.at("outside"));
    writeFileSync(scene.at("outside/canary"), canary, { mode: 0o600 });
  });
  afterEach(async () => {
    assert.deepEqual(readdirSync(scene.path).sort(), ["outside", "target"], "nothing was made beside the target");
    assert.deepEqual(readdirSync(scene.at("outside")), ["canary"]);
    assert.equal(readFileSync(scene.at("outside/canary"), "utf8"), canary);
    assert.equal(statSync(scene.at("outside/canary")).mode & 0o7777, 0o600);
    await scene.remove();
  });
}

export function unpack(archive: Buffer, args: readonly string[] = [], options: ShimOptions = {}): ShimResult {
  return runShim(["unpack", ...args], scene.at("target"), { ...options, input: archive });
}

/** Unpacks what must be accepted. */
export function accept(
  entries: readonly (RawEntry | Buffer)[],
  args: readonly string[] = [],
): { skipped: string[]; entries: number; bytes: number } {
  const { status, stdout, stderr } = unpack(tar(entries), args);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout.toString("latin1"));
}

/** Unpacks what must be refused with one failure, and nothing but that. */
export function refuse(archive: Buffer, expected: RegExp, args: readonly string[] = []): void {
  const { status, signal, stdout, stderr, failed } = unpack(archive, args);
  assert.deepEqual([signal, status, stdout.length], [null, 1, 0], stderr);
  assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  assert.match(`${failed?.step} ${failed?.subject}: ${failed?.errno} ${failed?.message}`, expected);
}

export const at = (path: string): string => scene.at("target", path);
export const target = (path: string) => lstatSync(at(path), { bigint: true });
export const mode = (path: string): number => Number(target(path).mode & 0o7777n);
export const directory = (name: string, fields: RawEntry = {}): RawEntry => ({
  name,
  type: "5",
  mode: 0o755,
  ...fields,
});
export const symlink = (name: string, link: string): RawEntry => ({ name, type: "2", link, mode: 0o777 });
export const hardlink = (name: string, link: string): RawEntry => ({ name, type: "1", link });
