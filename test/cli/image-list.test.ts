import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openStore } from "../../src/store/layout.ts";
import { perigee } from "../helpers/command.ts";
import { importImage, sha512 } from "../helpers/images.ts";
import { makeTemporary } from "../helpers/temporary.ts";

describe("perigee image list", () => {
  let temporary: Awaited<ReturnType<typeof makeTemporary>>;
  before(async () => {
    temporary = await makeTemporary();
    const store = await openStore(temporary.path);
    const signers = [{ fingerprint: "3c1a", keyDigest: sha512("k"), signedAt: "2026-01-01T00:00:00Z" }];
    await importImage(store, { name: "example.com/large", archive: Buffer.alloc(3 * 1024 * 1024), signers });
    await importImage(store, { name: "example.com/a", version: "1.0" });
    await importImage(store, { name: "example.com/b", version: "\u001b[31mred" });
  });
  after(() => temporary.remove());

  const lines = (...args: readonly string[]): readonly string[] => {
    const { status, stdout, stderr } = perigee(temporary.path, "image", "list", ...args);
    assert.equal(stderr, "");
    assert.equal(status, 0);
    return stdout.split("\n").slice(0, -1);
  };

  it("prints a table, the oldest import first", () => {
    const [head = "", first = "", second = "", third = "", ...rest] = lines();
    assert.deepEqual(head.split(/ {2,}/), ["ID", "NAME", "SIZE", "IMPORT TIME", "LAST USED", "SIGNED"]);
    assert.match(
      first,
      /^sha512-[0-9a-f]{12} {2}example\.com\/large +3\.0 MiB +(just now|\d+ \w+ ago) +(just now|\d+ \w+ ago) +3c1a$/,
    );
    assert.match(second, /example\.com\/a:1\.0/);
    assert.match(third, /example\.com\/b:\\x1b\[31mred/);
    assert.deepEqual(rest, []);
  });

  it("takes fields, order, whole values and no header line", () => {
    assert.deepEqual(lines("--fields=name,signed", "--sort=name", "--order=desc", "--no-legend"), [
      "example.com/large          3c1a",
      "example.com/b:\\x1b[31mred  no",
      "example.com/a:1.0          no",
    ]);
    const full = lines("--full", "--sort", "size", "--order", "desc", "--no-legend", "--fields", "id,size,importtime");
    assert.match(full[0] ?? "", /^sha512-[0-9a-f]{128} {2}\d{7} {2}\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it("prints JSON: an array of objects with sizes in bytes and RFC 3339 times", () => {
    const images: readonly Record<string, unknown>[] = JSON.parse(lines("--format", "json").join("\n"));
    assert.deepEqual(
      images.map((image) => image["name"]),
      ["example.com/large", "example.com/a", "example.com/b"],
    );
    const [large] = images;
    assert.deepEqual(Object.keys(large ?? {}), [
      "id",
      "name",
      "labels",
      "size",
      "archiveSize",
      "treeSize",
      "importedAt",
      "lastUsedAt",
      "signers",
      "signed",
    ]);
    assert.equal(large?.["archiveSize"], 3 * 1024 * 1024);
    assert.equal(large?.["size"], 3 * 1024 * 1024 + Number(large?.["treeSize"]));
    assert.deepEqual(large?.["signers"], ["3c1a"]);
    assert.match(String(large?.["importedAt"]), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it("is usage (2) for a field, sort or order that there is not", () => {
    for (const option of ["--fields=id,colour", "--sort=colour", "--order=up", "--fields="]) {
      const { status, stdout, stderr } = perigee(temporary.path, "image", "list", option);
      assert.equal(status, 2, option);
      assert.equal(stdout, "");
      assert.match(stderr, /^error\[USAGE\]: .*\n {2}try: --/);
    }
  });

  it("prints an empty array for an empty store", async () => {
    const empty = await makeTemporary();
    try {
      assert.equal(perigee(empty.path, "image", "list", "--format=json").stdout, "[]\n");
    } finally {
      await empty.remove();
    }
  });
});
