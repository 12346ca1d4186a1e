/** What a piece of a program syncs, as the kernel sees it: the calls of native/build/inject's record. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { project } from "./program.ts";

const inject = join(project, "native", "build", "inject");

/** The URL of a module of ours, for an import in such a piece. `path`: below src/, without its ending. */
export function moduleUrl(path: string): string {
  return new URL(`../../src/${path}.js`, import.meta.url).href;
}

/** Paths below `directory` of what `script`, the text of a module, syncs, in order; `""` is the directory itself. */
export function syncedBy(directory: string, record: string, script: string): readonly string[] {
  const node = [process.execPath, "--input-type=module", "--eval", script];
  const line = ["--record", record, "--below", directory, "--calls", "change", "--", ...node];
  const { status, stderr } = spawnSync(inject, line, {
    encoding: "utf8",
    cwd: fileURLToPath(new URL(".", import.meta.url)),
  });
  assert.equal(status, 0, stderr);
  const calls = readFileSync(record, "latin1").split("\n").slice(0, -1);
  return calls.flatMap((call) => {
    const [, name = "", , path = ""] = call.split("\t");
    return name === "fsync" && path.startsWith(directory) ? [path.slice(directory.length)] : [];
  });
}
