import assert from "node:assert/strict";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { findMarkedFile } from "../../src/pod/marked-files.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

function file(path: string, mode: number): string {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, "");
  chmodSync(path, mode);
  return path;
}

describe("findMarkedFile (ISO-9)", () => {
  it("finds the source itself and what lies in its first two levels, and nothing deeper", async (t) => {
    const directory = await temporaryDirectory(t);
    const deep = file(join(directory, "usr", "lib", "deep", "su"), 0o4755);
    assert.equal(findMarkedFile(directory), undefined);
    assert.equal(findMarkedFile(deep), deep);
    const second = file(join(directory, "usr", "wall"), 0o2755);
    assert.equal(findMarkedFile(directory), second);
    const first = file(join(directory, "su"), 0o4755);
    assert.equal(findMarkedFile(directory), first);
  });

  it("passes over what gives no power: directories, links, set-group-ID without the group's execution", async (t) => {
    const directory = await temporaryDirectory(t);
    const outside = file(join(await temporaryDirectory(t), "su"), 0o4755);
    mkdirSync(join(directory, "shared"));
    chmodSync(join(directory, "shared"), 0o2775);
    symlinkSync(outside, join(directory, "link"));
    file(join(directory, "locking"), 0o2644);
    file(join(directory, "plain"), 0o755);
    assert.equal(findMarkedFile(directory), undefined);
    assert.equal(findMarkedFile(join(directory, "nothing")), undefined);
  });

  it("looks at 1000 entries and no more", async (t) => {
    const directory = await temporaryDirectory(t);
    for (let number = 0; number < 1000; number++) mkdirSync(join(directory, `d${number}`));
    file(join(directory, "d7", "su"), 0o4755);
    assert.equal(findMarkedFile(directory), undefined);
  });
});
