import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  decodeRecord,
  decodeSelfChecking,
  encodeSelfChecking,
  isImageID,
  mergeRecords,
  type StoredRecord,
} from "../../src/store/records.ts";
import { describeImage, fakeId, sha512 } from "../helpers/images.ts";

function stored(changes: Partial<StoredRecord> = {}): StoredRecord {
  const { record, manifest } = describeImage({ name: "example.com/web", version: "1.0" });
  return { ...record, importedAt: "2026-01-01T00:00:00.000Z", manifest: { sha512: sha512(manifest) }, ...changes };
}

const vouching = (name: string) => ({
  fingerprint: name,
  keyDigest: sha512(name),
  signedAt: "2025-12-31T00:00:00Z",
});

describe("self-checking records", () => {
  const record = stored();
  const bytes = Buffer.from(encodeSelfChecking(record));

  it("come back as they were written, and are JSON as a whole", () => {
    assert.deepEqual(decodeRecord(bytes, record.id), record);
    assert.deepEqual(JSON.parse(bytes.toString()).record, record);
  });

  it("are not taken with any single byte changed, added or cut off", () => {
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.equal(decodeSelfChecking(changed), undefined, `byte ${at}`);
      assert.equal(decodeSelfChecking(bytes.subarray(0, at)), undefined, `cut at ${at}`);
    }
    assert.equal(decodeSelfChecking(Buffer.concat([bytes, Buffer.from(" ")])), undefined);
  });

  it("are not taken under the name of another image", () => {
    assert.equal(decodeRecord(bytes, fakeId("another")), undefined);
  });

  for (const [what, change] of [
    ["without a name", { name: undefined }],
    ["with a digest that is a path", { archive: { sha512: "../../../etc/passwd", size: 1 } }],
    ["with a negative size", { archive: { sha512: sha512("x"), size: -1 } }],
    ["with labels that are no list", { labels: { name: "os", value: "linux" } }],
    ["with a signer that is text", { signers: ["me"] }],
    ["with a time that is none", { importedAt: "yesterday" }],
    ["without the manifest's digest", { manifest: null }],
  ] as const) {
    it(`are not taken ${what}, though the digest fits`, () => {
      assert.equal(decodeRecord(Buffer.from(encodeSelfChecking({ ...record, ...change })), record.id), undefined);
    });
  }

  it("are not taken when they are no object", () => {
    for (const value of [null, [], "text", 7]) {
      assert.equal(decodeRecord(Buffer.from(encodeSelfChecking(value)), record.id), undefined);
    }
  });
});

describe("isImageID (TYPE-6)", () => {
  it("takes whole lower-case IDs only", () => {
    assert.equal(isImageID(fakeId("x")), true);
    for (const text of ["sha512-abc", fakeId("x").toUpperCase(), `${fakeId("x")}0`, `${fakeId("x")}/..`, ""]) {
      assert.equal(isImageID(text), false, text);
    }
  });
});

describe("mergeRecords", () => {
  const later = { importedAt: "2026-02-02T00:00:00.000Z" };

  it("keeps who vouched when the same image is imported again without a signature", () => {
    const signed = stored({ signers: [vouching("aa")], archive: { sha512: sha512("signed"), size: 6 } });
    const merged = mergeRecords(signed, stored({ ...later, archive: { sha512: sha512("repacked"), size: 8 } }));
    assert.deepEqual(merged, { ...signed, ...later });
  });

  it("adds signers of the same archive, the newest word of each", () => {
    const first = stored({ signers: [vouching("aa"), vouching("bb")] });
    const again = { ...vouching("bb"), keyDigest: sha512("new key file") };
    const merged = mergeRecords(first, stored({ ...later, signers: [again] }));
    assert.deepEqual(merged.signers, [again, vouching("aa")]);
  });

  it("takes the new archive when another one of the same image was signed", () => {
    const merged = mergeRecords(
      stored({ signers: [vouching("aa")] }),
      stored({ ...later, signers: [vouching("bb")], archive: { sha512: sha512("repacked"), size: 8 } }),
    );
    assert.deepEqual(merged.signers, [vouching("bb")]);
    assert.equal(merged.archive.sha512, sha512("repacked"));
  });

  it("keeps the place among the latest when the image is fetched again by version", () => {
    const merged = mergeRecords(stored({ latest: true }), stored(later));
    assert.equal(merged.latest, true);
    assert.equal(merged.importedAt, "2026-01-01T00:00:00.000Z");
    const asked = mergeRecords(stored({ latest: true }), stored({ ...later, latest: true }));
    assert.equal(asked.importedAt, later.importedAt);
  });
});
