import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, lstatSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inodesOf, neighbour, numbersOf, openNumber } from "../../src/pod/log-files.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

describe("the files of a log", () => {
  it("are PATH and PATH.N, and none of another app", async (context) => {
    const directory = await temporaryDirectory(context);
    for (const name of ["app", "app.1", "app.12", "app.0", "app.01", "app.x", "apple", "app-b.2"])
      writeFileSync(join(directory, name), "");
    assert.deepEqual(numbersOf(directory, "app"), [0, 1, 12]);
    assert.deepEqual(numbersOf(join(directory, "none"), "app"), []);
    assert.deepEqual(numbersOf(join(directory, "app"), "app"), []);
    assert.equal(inodesOf(directory, "app").get(lstatSync(join(directory, "app.1")).ino), 1);
  });

  it("LIFE-75: what is no regular file is none: nothing is followed or waited for", async (context) => {
    const directory = await temporaryDirectory(context);
    writeFileSync(join(directory, "secret"), "x");
    symlinkSync("secret", join(directory, "app"));
    execFileSync("mkfifo", [join(directory, "app.1")]);
    mkdirSync(join(directory, "app.2"));
    for (const number of [0, 1, 2, 3]) assert.equal(openNumber(directory, "app", number), undefined);
  });

  it("LIFE-73: the neighbour of a file is found by its inode, wherever rotation has moved it", async (context) => {
    const directory = await temporaryDirectory(context);
    const path = (name: string) => join(directory, name);
    for (const name of ["app", "app.1", "app.2"]) writeFileSync(path(name), name);
    const inodes = ["app", "app.1", "app.2"].map((name) => lstatSync(path(name)).ino);
    for (const [from, to] of [
      ["app.2", "app.3"],
      ["app.1", "app.2"],
      ["app", "app.1"],
    ] as const)
      renameSync(path(from), path(to));
    writeFileSync(path("app"), "new");
    const next = neighbour(directory, "app", inodes[2] ?? 0, -1);
    assert.equal(next?.inode, inodes[1]);
    const older = neighbour(directory, "app", inodes[1] ?? 0, 1);
    assert.equal(older?.inode, inodes[2]);
    assert.equal(neighbour(directory, "app", inodes[2] ?? 0, 1), undefined);
    assert.equal(neighbour(directory, "app", lstatSync(path("app")).ino, -1), undefined);
    assert.equal(neighbour(directory, "app", 1, -1), undefined);
    for (const file of [next, older]) if (file !== undefined) closeSync(file.fd);
  });
});
