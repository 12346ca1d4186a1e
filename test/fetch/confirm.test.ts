import assert from "node:assert/strict";
import { readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLog } from "../../src/base/log.ts";
import { lookAtState } from "../../src/base/state-file.ts";
import { confirmArchive } from "../../src/fetch/confirm.ts";
import type { ImageRecord } from "../../src/store/images.ts";
import { blobPath } from "../../src/store/layout.ts";
import { isAsHashed, keepVerdict, readVerdict } from "../../src/store/verdicts.ts";
import { fails } from "../helpers/failures.ts";
import { FetchWorld } from "../helpers/fetch-world.ts";
import { day, now } from "../helpers/trust.ts";

const name = "example.com/web";
let world: FetchWorld;
let record: ImageRecord;
let path: string;

beforeEach(async () => {
  world = await FetchWorld.open();
  await world.publish({ name }, { served: { etag: '"1"' } });
  record = await world.fetch(name);
  path = blobPath(world.store, record.archive.sha512);
});
afterEach(() => world.close());

/** Bytes that are not the archive's any more, under a note that says they were hashed: only who reads them sees it. */
async function rotten(at = now): Promise<void> {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40);
  writeFileSync(path, bytes);
  await note(at);
}

async function note(at = now): Promise<void> {
  const file = lookAtState(path)?.stamp;
  assert.ok(file !== undefined);
  await keepVerdict(world.store, record.archive.sha512, { hashed: { file, at: at.getTime() } }, silentLog);
}

const confirm = (at = now, check?: { update(chunk: Uint8Array): void }) =>
  confirmArchive(record, check, { ...world.context(), now: () => at });

describe("confirmArchive (VERIFY-5)", () => {
  it("VERIFY-5: an archive whose file is as it was when it was hashed is not read", async () => {
    await rotten();
    assert.equal(await confirm(), undefined);
    assert.equal((await world.fetch(name, "update", { insecure: { image: true, http: false } })).id, record.id);
  });

  const moments: readonly (readonly [string, Date])[] = [
    ["after a day", new Date(now.getTime() + day)],
    ["when the clock went back", new Date(now.getTime() - 1)],
  ];
  for (const [when, at] of moments) {
    it(`VERIFY-5: it is read ${when}`, async () => {
      await rotten();
      await assert.rejects(confirm(at), fails("DIGEST_MISMATCH"));
    });
  }

  const changes: readonly (readonly [string, () => void])[] = [
    ["written to", () => writeFileSync(path, readFileSync(path))],
    ["touched", () => utimesSync(path, 1, 1)],
    [
      "replaced by a copy with the same times",
      () => {
        const bytes = readFileSync(path);
        rmSync(path);
        writeFileSync(path, bytes);
      },
    ],
  ];
  for (const [how, change] of changes) {
    it(`VERIFY-5: it is read when the file was ${how}`, async () => {
      await rotten();
      change();
      await assert.rejects(confirm(), fails("DIGEST_MISMATCH"));
    });
  }

  it("VERIFY-5: a signature that is verified is shown every byte, whatever was noted", async () => {
    await note();
    const seen: Uint8Array[] = [];
    await confirm(now, { update: (chunk) => void seen.push(chunk) });
    assert.ok(Buffer.concat(seen).equals(readFileSync(path)));
  });

  it("VERIFY-5: a change that may not show is not relied on: what changed a moment ago is not noted", async () => {
    writeFileSync(path, readFileSync(path));
    assert.equal(await confirm(), undefined);
    assert.ok(!isAsHashed(world.store, record.archive.sha512, now));
  });

  it("VERIFY-5: a fetch notes what it has read, beside the verdict, once its file is old enough", async () => {
    const { sha512 } = record.archive;
    await world.fetch(name);
    assert.ok(!isAsHashed(world.store, sha512, now));
    // What changed within the last second may change again unseen.
    await sleep(1100);
    await world.fetch(name);
    assert.ok(isAsHashed(world.store, sha512, now));
    assert.ok(readVerdict(world.store, sha512) !== undefined);
  });
});
