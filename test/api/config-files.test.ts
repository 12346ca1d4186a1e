import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { dataDirectoryOf, httpConfigOf, imageLimitsOf } from "../../src/api/config-files.ts";

import { defaultImageLimits } from "../../src/image/limits.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `perigee-config-${process.pid}-`));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function write(path: string, content: unknown): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), typeof content === "string" ? content : JSON.stringify(content));
}

const places = () => ["system", "local", "user"].map((name) => join(directory, name));
const paths = (data: string) => ({ perigeeKind: "paths", perigeeVersion: "v1", data });

describe("dataDirectoryOf (CLI-13, CLI-15)", () => {
  it("is undefined without files", async () => assert.equal(await dataDirectoryOf(places()), undefined));
  it("the later directory wins, and rkt's headers are read", async () => {
    write("system/paths.d/a.json", { rktKind: "paths", rktVersion: "v1", data: "/system", "stage1-images": "/x" });
    assert.equal(await dataDirectoryOf(places()), "/system");
    write("local/paths.d/a.json", paths("/local"));
    assert.equal(await dataDirectoryOf(places()), "/local");
  });
  it("leaves links, other names and subdirectories alone", async () => {
    write("other/paths.d/x.json", paths("/x"));
    write("local/paths.d/x.conf", "nonsense");
    write("local/paths.d/sub/x.json", paths("/x"));
    symlinkSync(join(directory, "other/paths.d/x.json"), join(directory, "local/paths.d/link.json"));
    assert.equal(await dataDirectoryOf(places()), undefined);
  });
  const invalid: readonly (readonly [string, unknown])[] = [
    ["no header", { data: "/x" }],
    ["the kind of another folder", { perigeeKind: "http", perigeeVersion: "v1" }],
    ["another version", { perigeeKind: "paths", perigeeVersion: "v2" }],
    ["a relative path", paths("x")],
    ["a list", []],
  ];
  for (const [why, content] of invalid) {
    it(`refuses ${why}, naming the file`, async () => {
      write("local/paths.d/a.json", content);
      await assert.rejects(dataDirectoryOf(places()), { code: "CONFIG_INVALID", message: /paths\.d\/a\.json/ });
    });
  }
  it("refuses what is no JSON", async () => {
    write("local/paths.d/a.json", "{");
    await assert.rejects(dataDirectoryOf(places()), { code: "JSON_INVALID" });
  });
  it("refuses two files of one directory that set the same", async () => {
    write("local/paths.d/a.json", paths("/a"));
    write("local/paths.d/b.json", paths("/b"));
    await assert.rejects(dataDirectoryOf(places()), { code: "CONFIG_INVALID", cause: /another file/ });
  });
});

describe("httpConfigOf (CLI-15)", () => {
  it("collects authorities, and connections by host", async () => {
    const http = { perigeeKind: "http", perigeeVersion: "v1" };
    write("system/http.d/a.json", { ...http, caFiles: ["/1.pem"], connectTo: ["example.com:10.0.0.1:443"] });
    write("user/http.d/a.json", { ...http, caFiles: ["/2.pem"], connectTo: ["example.com:127.0.0.1:8443"] });
    assert.deepEqual(await httpConfigOf(places()), {
      caFiles: ["/1.pem", "/2.pem"],
      connectTo: ["example.com:127.0.0.1:8443"],
    });
  });
  it("refuses a relative authority and what is no list of texts", async () => {
    const http = { perigeeKind: "http", perigeeVersion: "v1" };
    for (const content of [
      { ...http, caFiles: ["x.pem"] },
      { ...http, connectTo: "x" },
      { ...http, caFiles: [1] },
    ]) {
      write("user/http.d/a.json", content);
      await assert.rejects(httpConfigOf(places()), { code: "CONFIG_INVALID" });
    }
  });
});

describe("imageLimitsOf (CLI-15, limits 2.2)", () => {
  const limits = { perigeeKind: "limits", perigeeVersion: "v1" };

  it("are the defaults without files", async () => assert.deepEqual(await imageLimitsOf(places()), defaultImageLimits));
  it("one by one, the later directory wins", async () => {
    write("system/limits.d/a.json", { ...limits, entries: 10, ratio: 1000 });
    write("local/limits.d/a.json", { ...limits, entries: 20, depth: 1024 });
    assert.deepEqual(await imageLimitsOf(places()), { ...defaultImageLimits, entries: 20, ratio: 1000 });
  });
  it("refuses what is no positive integer, and more than the shim takes", async () => {
    for (const content of [
      { entries: 0 },
      { entries: "10" },
      { totalSize: 1.5 },
      { depth: 1025 },
      { metaRecord: 2 ** 21 },
    ]) {
      write("user/limits.d/a.json", { ...limits, ...content });
      await assert.rejects(imageLimitsOf(places()), { code: "CONFIG_INVALID" });
    }
  });
});
