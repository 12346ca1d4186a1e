import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { openSiteFile } from "../../src/site/files.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `perigee-test-${process.pid}-`));
  mkdirSync(join(directory, "site/page"), { recursive: true });
  mkdirSync(join(directory, "site2"));
  writeFileSync(join(directory, "site/file"), "content");
  writeFileSync(join(directory, "site/page/index.html"), "page");
  writeFileSync(join(directory, "site2/secret"), "secret");
});
afterEach(() => rmSync(directory, { recursive: true }));

async function read(...names: readonly string[]): Promise<string | undefined> {
  const file = await openSiteFile(join(directory, "site"), names);
  try {
    return file === undefined ? undefined : await file.handle.readFile("utf8");
  } finally {
    await file?.handle.close();
  }
}

async function etag(): Promise<string> {
  const file = await openSiteFile(join(directory, "site"), ["file"]);
  await file?.handle.close();
  return file?.etag ?? "";
}

describe("openSiteFile", () => {
  it("opens files, and the page of a directory", async () => {
    assert.equal(await read("file"), "content");
    assert.equal(await read("page"), "page");
    assert.equal(await read("page", "index.html"), "page");
    assert.equal(await read("missing"), undefined);
    assert.equal(await read("file", "index.html"), undefined);
  });

  it("nothing outside, by link or by name, also beside a directory of a longer name", async () => {
    symlinkSync("../site2/secret", join(directory, "site/link"));
    symlinkSync(join(directory, "site2"), join(directory, "site/linked"));
    symlinkSync("/", join(directory, "site/root"));
    assert.equal(await read("link"), undefined);
    assert.equal(await read("linked", "secret"), undefined);
    assert.equal(await read("root", "etc", "passwd"), undefined);
    assert.equal(await read("..", "site2", "secret"), undefined);
  });

  it("a link inside is followed, and the site may be named by a link", async () => {
    symlinkSync("page/index.html", join(directory, "site/inside"));
    assert.equal(await read("inside"), "page");
    symlinkSync("site", join(directory, "alias"));
    const file = await openSiteFile(join(directory, "alias"), ["file"]);
    assert.equal(await file?.handle.readFile("utf8"), "content");
    await file?.handle.close();
  });

  it("a fifo neither hangs nor is served", async () => {
    execFileSync("mkfifo", [join(directory, "site/fifo")]);
    assert.equal(await read("fifo"), undefined);
  });

  it("every version of a file has its own tag, also of the same size and time", async () => {
    utimesSync(join(directory, "site/file"), 1, 1);
    linkSync(join(directory, "site/file"), join(directory, "old"));
    const first = await etag();
    assert.match(first, /^"[^"]+"$/);
    assert.equal(await etag(), first);
    writeFileSync(join(directory, "site/new"), "CONTENT");
    utimesSync(join(directory, "site/new"), 1, 1);
    renameSync(join(directory, "site/new"), join(directory, "site/file"));
    assert.notEqual(await etag(), first);
  });
});
