import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { stagedBytes } from "../../src/fetch/acquire.ts";
import { openAnswers } from "../../src/fetch/answers.ts";
import { download } from "../../src/fetch/download.ts";
import { beginImport, type Staging } from "../../src/store/blobs.ts";
import { stagingOf } from "../../src/store/layout.ts";
import { fails } from "../helpers/failures.ts";
import { FetchWorld } from "../helpers/fetch-world.ts";
import { type Versioned, versioned } from "../helpers/https-server.ts";
import { sha512 } from "../helpers/images.ts";

const url = "https://example.com/big.aci";
const bytes = randomBytes(300_000);
const long = "Tue, 01 Jul 2025 10:00:00 GMT";

let world: FetchWorld;
beforeEach(async () => {
  world = await FetchWorld.open();
});
afterEach(() => world.close());

const serve = (how: Versioned, body: Uint8Array = bytes) => world.server.on("/big.aci", versioned(body, how));
const open = () => beginImport(world.store, undefined, url);
const answers = () => openAnswers(world.store, () => new Date());

async function get(staging: Staging, from = answers()) {
  const hashed: Uint8Array[] = [];
  const witness = { update: (chunk: Uint8Array) => void hashed.push(Uint8Array.from(chunk)) };
  const options = { http: async () => world.http, insecureHttp: false, log: silentLog, answers: from };
  const result = await download({ kind: "url", url }, staging, options, witness);
  const staged: Uint8Array[] = [];
  for await (const chunk of stagedBytes(staging.archive)) staged.push(chunk);
  assert.ok("sha512" in result);
  const whole = Buffer.concat(staged);
  assert.ok(Buffer.concat(hashed).equals(whole), "the witness saw what is staged");
  assert.equal(result.sha512, sha512(whole));
  assert.equal(result.size, whole.length);
  return whole;
}

const ranges = () =>
  world.server.requests.filter(({ path }) => path === "/big.aci").map(({ headers }) => headers.range);

describe("download: broken off (T-D08)", () => {
  for (const [why, how] of [
    ["an ETag", { etag: '"v1"' }],
    ["a Last-Modified of long ago", { lastModified: long }],
  ] as const) {
    it(`goes on with ${why}, in the same run`, async () => {
      serve({ ...how, brokenAt: [100_000, 50_000] });
      const staging = await open();
      assert.ok((await get(staging)).equals(bytes));
      const [first, second, third, ...more] = ranges();
      assert.equal(first, undefined);
      assert.match(second ?? "", /^bytes=\d+-$/);
      assert.notEqual(third, second);
      assert.deepEqual(more, []);
      await staging.abandon();
    });
  }

  it("is not gone on with where a version cannot be named", async () => {
    for (const how of [{}, { etag: 'W/"weak"' }, { lastModified: new Date().toUTCString() }]) {
      serve({ ...how, brokenAt: [100_000] });
      const staging = await open();
      await assert.rejects(get(staging), fails("HTTP_FAILED"));
      await staging.abandon(true);
      assert.deepEqual(readdirSync(stagingOf(world.store)), []);
    }
  });

  it("a later run takes over what a dead one left, and asks for the rest only", async () => {
    serve({ etag: '"v1"', brokenAt: [100_000, 0, 0, 0, 0, 0, 0] });
    const staging = await open();
    await assert.rejects(get(staging), fails("HTTP_FAILED"));
    const have = (await staging.archive.stat()).size;
    assert.ok(have > 0 && have < bytes.length);
    await staging.abandon(true);
    serve({ etag: '"v1"' });
    const next = await open();
    assert.deepEqual(next.partial, { size: have, validator: '"v1"' });
    const from = answers();
    assert.ok((await get(next, from)).equals(bytes));
    assert.equal(ranges().at(-1), `bytes=${have}-`);
    assert.ok(from.hasShortcut(), "so that a failed verification leads to a whole download");
    await next.abandon(true);
    assert.deepEqual(readdirSync(stagingOf(world.store)), [], "a whole download is not gone on with");
  });

  it("a file that changed meanwhile begins anew", async () => {
    serve({ etag: '"v1"', brokenAt: [100_000, 0] });
    const staging = await open();
    await assert.rejects(get(staging), fails("HTTP_FAILED"));
    await staging.abandon(true);
    const other = randomBytes(200_000);
    serve({ etag: '"v2"' }, other);
    const next = await open();
    assert.notEqual(next.partial, undefined);
    assert.ok((await get(next)).equals(other));
    await next.abandon();
  });

  it("never joins two versions: one that changes between two pieces ends it, with the word to ask anew", async () => {
    let count = 0;
    world.server.on("/big.aci", (_, request) => {
      count += 1;
      if (count === 1) return versioned(bytes, { etag: '"v1"', brokenAt: [100_000] })(0, request);
      return versioned(randomBytes(300_000), { etag: '"v2"' })(0, request);
    });
    const staging = await open();
    const from = answers();
    await assert.rejects(get(staging, from), fails("HTTP_FAILED", /changed while/));
    assert.ok(from.hasShortcut());
    await staging.abandon();
  });

  for (const [why, lie] of [
    [
      "answers another range than asked for",
      { status: 206, headers: { "Content-Range": "bytes 5-9/10", ETag: '"v1"' } },
    ],
    [
      "answers a range of another version",
      { status: 206, headers: { "Content-Range": "bytes 100000-300000/300001", ETag: '"v2"' } },
    ],
    ["says 416", { status: 416, headers: {} }],
    ["says 206 without a range", { status: 206, headers: { ETag: '"v1"' } }],
  ] as const) {
    it(`begins anew with a server that ${why}`, async () => {
      serve({ etag: '"v1"', brokenAt: [100_000, 0] });
      const staging = await open();
      await assert.rejects(get(staging), fails("HTTP_FAILED"));
      await staging.abandon(true);
      world.server.on("/big.aci", (_, request) =>
        request.headers.range === undefined ? { body: bytes } : { ...lie, body: "other" },
      );
      const next = await open();
      assert.ok((await get(next)).equals(bytes));
      await next.abandon();
    });
  }

  it("gives up when nothing comes any more, and after a handful of pieces", async () => {
    serve({ etag: '"v1"', brokenAt: Array.from({ length: 20 }, () => 1000) });
    const staging = await open();
    await assert.rejects(get(staging), fails("HTTP_FAILED"));
    assert.ok(ranges().length <= 6, `${ranges().length} requests`);
    await staging.abandon();
  });

  it("two runs do not take the same part", async () => {
    serve({ etag: '"v1"', brokenAt: [100_000, 0] });
    const staging = await open();
    await assert.rejects(get(staging), fails("HTTP_FAILED"));
    await staging.abandon(true);
    const [one, two] = await Promise.all([open(), open()]);
    assert.equal([one, two].filter(({ partial }) => partial !== undefined).length, 1);
    await one.abandon();
    await two.abandon();
  });
});
