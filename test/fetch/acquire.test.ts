import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { acquireArchive, acquireSignature, isThere, stagedBytes } from "../../src/fetch/acquire.ts";
import type { Place } from "../../src/fetch/locate.ts";
import { beginImport, type Staging } from "../../src/store/blobs.ts";
import { fails } from "../helpers/failures.ts";
import { FetchWorld } from "../helpers/fetch-world.ts";
import { sha512 } from "../helpers/images.ts";
import { collect } from "../helpers/tar-bytes.ts";

let world: FetchWorld;
let staging: Staging;
before(async () => {
  world = await FetchWorld.open();
});
after(() => world.close());
beforeEach(async () => {
  staging = await beginImport(world.store);
});
afterEach(() => staging.abandon());

const options = (signal?: AbortSignal) => ({
  http: async () => world.http,
  insecureHttp: false,
  log: silentLog,
  signal,
});
const url = (path: string): Place => ({ kind: "url", url: `https://example.com${path}` });
const file = (name: string): Place => ({ kind: "file", path: join(world.directory, name) });

async function acquired(place: Place) {
  const chunks: Uint8Array[] = [];
  const result = await acquireArchive(place, staging, options(), {
    update: (chunk) => chunks.push(Buffer.from(chunk)),
  });
  return { result, hashed: Buffer.concat(chunks), staged: await collect(stagedBytes(staging.archive)) };
}

describe("acquireArchive", () => {
  const bytes = randomBytes(3 * 1024 * 1024 + 17);

  it("downloads: what is hashed, staged and counted are the same bytes", async () => {
    world.server.on("/big.aci", { body: bytes });
    const { result, hashed, staged } = await acquired(url("/big.aci"));
    assert.ok("sha512" in result);
    assert.deepEqual([result.sha512, result.size], [sha512(bytes), bytes.length]);
    assert.ok(hashed.equals(bytes) && staged.equals(bytes));
  });

  it("takes the SHA-512 of a witness that has one, for a download and for a file", async () => {
    world.server.on("/witnessed.aci", { body: bytes });
    writeFileSync(join(world.directory, "witnessed.aci"), bytes);
    for (const place of [url("/witnessed.aci"), file("witnessed.aci")]) {
      let seen = 0;
      const update = (chunk: Uint8Array): void => {
        seen += chunk.length;
      };
      const witness = { update, sha512: () => `after ${seen}` };
      const result = await acquireArchive(place, staging, options(), witness);
      assert.ok("sha512" in result);
      assert.deepEqual([result.sha512, result.size], [`after ${bytes.length}`, bytes.length]);
    }
  });

  it("copies a file, also over a longer one, and keeps the copy to its owner whatever the file's mode", async () => {
    const place = file("big.aci");
    writeFileSync(join(world.directory, "big.aci"), bytes);
    chmodSync(join(world.directory, "big.aci"), 0o4755);
    const { result, hashed, staged } = await acquired(place);
    assert.ok("sha512" in result);
    assert.deepEqual([result.sha512, result.size], [sha512(bytes), bytes.length]);
    assert.ok(hashed.equals(bytes) && staged.equals(bytes));
    assert.equal(statSync(staging.archivePath).mode & 0o7777, 0o600);
  });

  it("T-S29: later changes of the file do not reach the staged bytes", async () => {
    writeFileSync(join(world.directory, "swap.aci"), bytes);
    await acquired(file("swap.aci"));
    writeFileSync(join(world.directory, "swap.aci"), "something else");
    assert.ok((await collect(stagedBytes(staging.archive))).equals(bytes));
  });

  for (const [why, name, expected] of [
    ["a file that is not there", "none.aci", fails("NOT_FOUND", /none\.aci/)],
    ["a directory", ".", fails("IMAGE_INVALID", /not a regular file/)],
    ["a FIFO, without waiting for a writer (T-R18)", "pipe.aci", fails("IMAGE_INVALID", /not a regular file/)],
  ] as const) {
    it(`refuses ${why}`, async () => {
      if (name === "pipe.aci") execFileSync("mkfifo", [join(world.directory, name)]);
      await assert.rejects(acquired(file(name)), expected);
    });
  }

  for (const [why, script, expected] of [
    ["404", { status: 404 }, fails("NOT_FOUND", /no image at https/)],
    ["410", { status: 410 }, fails("NOT_FOUND")],
    ["401", { status: 401 }, fails("NOT_AUTHORISED", /401/)],
    ["403", { status: 403 }, fails("NOT_AUTHORISED", /403/)],
    ["500", { status: 500 }, fails("HTTP_FAILED", /500/)],
    ["204, which has no image", { status: 204 }, fails("HTTP_FAILED", /204/)],
    ["206, which was not asked for (T-D08)", { status: 206, body: "part" }, fails("HTTP_FAILED", /206/)],
    ["a connection that breaks off", { body: bytes, resetAt: 1000 }, fails("HTTP_FAILED")],
    ["fewer bytes than announced (T-D08)", { body: "abc", declaredLength: 10 }, fails("HTTP_FAILED")],
  ] as const) {
    it(`a download ends with ${why}`, async () => {
      world.server.on("/bad.aci", script);
      await assert.rejects(acquired(url("/bad.aci")), expected);
    });
  }

  it("stops when the caller does", async () => {
    writeFileSync(join(world.directory, "i.aci"), bytes);
    for (const place of [file("i.aci"), url("/big.aci")]) {
      await assert.rejects(
        acquireArchive(place, staging, options(AbortSignal.abort()), undefined),
        fails("INTERRUPTED"),
      );
    }
  });
});

describe("acquireSignature", () => {
  it("reads files and URLs", async () => {
    world.server.on("/a.asc", { body: "signature" });
    writeFileSync(join(world.directory, "a.asc"), "signature");
    for (const place of [url("/a.asc"), file("a.asc")]) {
      assert.equal(String(await acquireSignature(place, options())), "signature");
    }
  });

  it("tells missing from not yet made", async () => {
    assert.equal(await acquireSignature(url("/none.asc"), options()), undefined);
    assert.equal(await acquireSignature(file("none.asc"), options()), undefined);
    world.server.on("/later.asc", { status: 202 });
    assert.equal(await acquireSignature(url("/later.asc"), options()), "later");
  });

  it("refuses one of more than 1 MiB, and answers that are none", async () => {
    world.server.on("/long.asc", { body: Buffer.alloc(1024 * 1024 + 1) });
    await assert.rejects(acquireSignature(url("/long.asc"), options()), fails("LIMIT_EXCEEDED"));
    writeFileSync(join(world.directory, "long.asc"), Buffer.alloc(1024 * 1024 + 1));
    await assert.rejects(acquireSignature(file("long.asc"), options()), fails("LIMIT_EXCEEDED"));
    world.server.on("/broken.asc", { status: 502 });
    await assert.rejects(acquireSignature(url("/broken.asc"), options()), fails("HTTP_FAILED", /502/));
  });
});

describe("isThere", () => {
  it("asks without downloading", async () => {
    world.server.on("/there.aci", { body: "x" });
    assert.equal(await isThere(url("/there.aci"), options()), true);
    assert.equal(world.server.requests.at(-1)?.method, "HEAD");
    assert.equal(await isThere(url("/not-there.aci"), options()), false);
    assert.equal(await isThere(file("not-there.aci"), options()), false);
    assert.equal(await isThere(file("."), options()), true);
  });
});
