import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { findSecretKey, readSecretKeys, storeSecretKey } from "../../src/trust/key-directory.ts";
import { failure, temporary } from "../helpers/trust.ts";

describe("the directory of secret keys (TRUST-18)", () => {
  const path = temporary();
  const fresh = () => mkdtempSync(path("case-"));
  const a = `aaaaaaaa${"0".repeat(32)}`;
  const b = `aaaaaaaab${"0".repeat(31)}`;

  it("is for its owner alone, and so is every key, whatever the umask", async () => {
    const directory = join(fresh(), "config", "keys");
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    const mask = process.umask(0);
    try {
      assert.equal(await storeSecretKey(directory, a, Buffer.from("key")), join(directory, `${a}.asc`));
    } finally {
      process.umask(mask);
    }
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    assert.equal(statSync(join(directory, `${a}.asc`)).mode & 0o777, 0o600);
  });

  it("never replaces a key", async () => {
    const directory = fresh();
    await storeSecretKey(directory, a, Buffer.from("first"));
    await assert.rejects(
      storeSecretKey(directory, a, Buffer.from("second")),
      failure("ALREADY_EXISTS", /there already/),
    );
    assert.equal((await findSecretKey(directory, a)).bytes.toString(), "first");
    assert.deepEqual(readdirSync(directory), [`${a}.asc`]);
  });

  it("TRUST-30: the very same key again is stored already, and its file is not touched", async () => {
    const directory = fresh();
    const stored = await storeSecretKey(directory, a, Buffer.from("key"));
    const before = statSync(stored, { bigint: true });
    assert.equal(await storeSecretKey(directory, a, Buffer.from("key")), stored);
    const after = statSync(stored, { bigint: true });
    assert.deepEqual([after.ino, after.mtimeNs], [before.ino, before.mtimeNs]);
    chmodSync(stored, 0o644);
    await assert.rejects(storeSecretKey(directory, a, Buffer.from("key")), failure("CONFIG_INVALID", /others may use/));
    assert.deepEqual(readdirSync(directory), [`${a}.asc`]);
  });

  it("TRUST-30: of 20 who store a key in different forms at once one does, and the others are told", async () => {
    const directory = join(fresh(), "keys");
    const forms = Array.from({ length: 20 }, (_, index) => Buffer.from(`form ${index}`));
    const outcomes = await Promise.allSettled(forms.map((form) => storeSecretKey(directory, a, form)));
    const winners = forms.filter((_, index) => outcomes[index]?.status === "fulfilled");
    assert.deepEqual(
      winners.map(String),
      (await readSecretKeys(directory)).map(({ bytes }) => bytes.toString()),
    );
    assert.equal(winners.length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") assert.ok(failure("ALREADY_EXISTS", /there already/)(outcome.reason));
    }
    assert.deepEqual(readdirSync(directory), [`${a}.asc`]);
  });

  it("finds keys by fingerprint or a unique prefix of 8 digits", async () => {
    const directory = fresh();
    await storeSecretKey(directory, a, Buffer.from("a"));
    await storeSecretKey(directory, b, Buffer.from("b"));
    assert.equal((await findSecretKey(directory, "aaaaaaaa0")).fingerprint, a);
    assert.equal((await findSecretKey(directory, `0x${b.toUpperCase()}`)).fingerprint, b);
    assert.equal((await findSecretKey(directory, "AAAA AAAA B")).fingerprint, b);
    await assert.rejects(findSecretKey(directory, "aaaaaaaa"), failure("AMBIGUOUS", /aaaaaaaab/));
    await assert.rejects(findSecretKey(directory, "bbbbbbbb"), failure("NOT_FOUND", /no secret key/));
    for (const prefix of ["aaaaaaa", "zzzzzzzz", "", "../../etc/passwd"]) {
      await assert.rejects(findSecretKey(directory, prefix), failure("USAGE", /./));
    }
    assert.deepEqual(
      (await readSecretKeys(directory)).map(({ fingerprint }) => fingerprint),
      [a, b],
    );
  });

  it("refuses a key that others could use, and ignores other files", async () => {
    const directory = fresh();
    await storeSecretKey(directory, a, Buffer.from("a"));
    writeFileSync(join(directory, "README"), "");
    chmodSync(join(directory, `${a}.asc`), 0o640);
    await assert.rejects(readSecretKeys(directory), failure("CONFIG_INVALID", /others may use/));
    assert.deepEqual(await readSecretKeys(join(directory, "nowhere")), []);
  });
});
