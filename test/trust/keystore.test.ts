import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { before, describe, it } from "node:test";
import { sha512 } from "../../src/base/digest.ts";
import { openKeystore, storeTrustedKey } from "../../src/trust/keystore.ts";
import { failure, type MadeKey, makeKey, temporary, trust } from "../helpers/trust.ts";

describe("the keystore", () => {
  const path = temporary();
  let key: MadeKey;
  let other: MadeKey;
  before(async () => {
    [key, other] = await Promise.all([makeKey(), makeKey()]);
  });
  const fresh = () => mkdtempSync(path("case-"));
  const place = (directory: string, ...parts: readonly string[]) => join(directory, "trustedkeys", ...parts);
  const scopes = async (directories: readonly string[], name?: string) =>
    (await openKeystore({ directories }).keysFor(name)).map(({ scope, fingerprint }) => `${scope} ${fingerprint}`);

  it("stores the bytes it was given, under the fingerprint, readable by all and writable by the owner", async () => {
    const directory = fresh();
    const stored = await storeTrustedKey(directory, { prefix: "example.com/web" }, key.armored);
    assert.equal(stored.path, place(directory, "prefix.d", "example.com", "web", key.fingerprint));
    assert.deepEqual(readFileSync(stored.path), key.armored);
    assert.equal(statSync(stored.path).mode & 0o777, 0o644);
    assert.deepEqual(stored, {
      ...stored,
      digest: sha512(key.armored),
      scope: "example.com/web",
      fingerprint: key.fingerprint,
    });
    const root = await storeTrustedKey(directory, "root", key.armored);
    assert.equal(root.path, place(directory, "root.d", key.fingerprint));
  });

  it("refuses to store what is no single armoured public key, or no prefix", async () => {
    const directory = fresh();
    const two = Buffer.concat([key.armored, other.armored]);
    await assert.rejects(storeTrustedKey(directory, "root", two), failure("KEY_INVALID", /several/));
    for (const prefix of ["../etc", "a//b", "/a", "", "Example.com", "https://example.com"]) {
      await assert.rejects(storeTrustedKey(directory, { prefix }, key.armored), failure("USAGE", /./), prefix);
    }
  });

  it("TRUST-1, TRUST-2, T-S15, T-S17: finds root keys and those of every prefix of the name by whole components", async () => {
    const directory = fresh();
    await trust(directory, key, "root");
    for (const prefix of ["example.com", "example.com/foo", "example.com/foo/bar", "example.org"])
      await trust(directory, key, { prefix });
    const found = async (name?: string) => (await scopes([directory], name)).map((line) => line.split(" ")[0]);
    assert.deepEqual(await found("example.com/foo"), ["root", "example.com", "example.com/foo"]);
    assert.deepEqual(await found("example.com/foobar"), ["root", "example.com"]);
    assert.deepEqual(await found("example.community"), ["root"]);
    assert.deepEqual((await found())?.sort(), [
      "example.com",
      "example.com/foo",
      "example.com/foo/bar",
      "example.org",
      "root",
    ]);
  });

  it("TRUST-3, T-S27: an empty file hides the same place of lower directories, and nothing else", async () => {
    const [system, local, user] = [fresh(), fresh(), fresh()];
    await trust(system, key, "root");
    const stored = await trust(system, key);
    mkdirSync(place(local, "prefix.d", "example.com"), { recursive: true });
    writeFileSync(place(local, "prefix.d", "example.com", key.fingerprint), "");
    const keystore = openKeystore({ directories: [system, local, user] });
    assert.deepEqual(await scopes([system, local, user], "example.com/web"), [`root ${key.fingerprint}`]);
    writeFileSync(place(system, "root.d", other.fingerprint), other.armored);
    rmSync(place(system, "root.d", key.fingerprint));
    assert.equal(await keystore.vouches("example.com/web", key.fingerprint, stored.digest), "no");
    await trust(user, key);
    assert.equal(await keystore.vouches("example.com/web", key.fingerprint, stored.digest), "yes");
    assert.deepEqual(await scopes([system, local, user], "example.com/web"), [
      `root ${other.fingerprint}`,
      `example.com ${key.fingerprint}`,
    ]);
  });

  it("TRUST-20: vouches by digest, and calls it changed when any copy differs", async () => {
    const directory = fresh();
    const { digest, path: file } = await trust(directory, key);
    const keystore = openKeystore({ directories: [directory] });
    assert.equal(await keystore.vouches("example.com/web", key.fingerprint, digest), "yes");
    assert.equal(await keystore.vouches("example.org/web", key.fingerprint, digest), "no");
    assert.equal(await keystore.vouches("example.com/web", other.fingerprint, digest), "no");
    mkdirSync(place(directory, "root.d"));
    writeFileSync(place(directory, "root.d", key.fingerprint), `\n${key.armored.toString()}`);
    assert.equal(await keystore.vouches("example.com/web", key.fingerprint, digest), "changed");
    rmSync(file);
    rmSync(place(directory, "root.d", key.fingerprint));
    assert.equal(await keystore.vouches("example.com/web", key.fingerprint, digest), "no");
  });

  it("TRUST-4, T-S26: a file that is not named by its key is refused", async () => {
    const directory = fresh();
    const { path: file } = await trust(directory, key);
    renameSync(file, join(dirname(file), other.fingerprint));
    await assert.rejects(scopes([directory], "example.com"), failure("KEY_INVALID", /another key than its name says/));
    renameSync(join(dirname(file), other.fingerprint), join(dirname(file), key.fingerprint.toUpperCase()));
    await assert.rejects(scopes([directory], "example.com"), failure("KEY_INVALID", /named by their fingerprint/));
  });

  describe("TRUST-5, T-S28: what others could change is refused, by name", () => {
    const refused = async (directory: string, reason: RegExp) => {
      const keystore = openKeystore({ directories: [directory] });
      await assert.rejects(keystore.keysFor("example.com"), failure("CONFIG_INVALID", reason));
      await assert.rejects(keystore.vouches("example.com", key.fingerprint, "0"), failure("CONFIG_INVALID", reason));
    };
    it("a file or directory that others can write", async () => {
      for (const parts of [
        [],
        ["trustedkeys"],
        ["trustedkeys", "prefix.d"],
        ["trustedkeys", "prefix.d", "example.com"],
        ["trustedkeys", "prefix.d", "example.com", key.fingerprint],
      ]) {
        const directory = fresh();
        await trust(directory, key);
        const target = join(directory, ...parts);
        chmodSync(target, statSync(target).mode | 0o020);
        await refused(directory, new RegExp(`${parts.at(-1) ?? "case-.*"} can be written by others`));
      }
    });
    it("a link instead of a file or directory", async () => {
      const [directory, elsewhere] = [fresh(), fresh()];
      const { path: file } = await trust(directory, key);
      renameSync(file, join(elsewhere, "key"));
      symlinkSync(join(elsewhere, "key"), file);
      await refused(directory, /symbolic link/);
      renameSync(place(directory), join(elsewhere, "keys"));
      symlinkSync(join(elsewhere, "keys"), place(directory));
      await refused(directory, /symbolic link/);
    });
    it("a FIFO, without waiting for it", async () => {
      const directory = fresh();
      const { path: file } = await trust(directory, key);
      rmSync(file);
      execFileSync("mkfifo", ["-m", "600", file]);
      await refused(directory, /not a regular file/);
    });
    it("more files than anybody means", async () => {
      const directory = fresh();
      await trust(directory, key);
      for (let index = 0; index < 1100; index++) {
        writeFileSync(place(directory, "prefix.d", "example.com", index.toString(16).padStart(40, "0")), "");
      }
      await assert.rejects(scopes([directory], "example.com"), failure("LIMIT_EXCEEDED", /1024 entries/));
    });
  });

  it("is empty where there is nothing, and ignores what a crash left", async () => {
    assert.deepEqual(await scopes([path("nowhere"), fresh()]), []);
    const directory = fresh();
    await trust(directory, key);
    writeFileSync(place(directory, "prefix.d", "example.com", `.${key.fingerprint}.0123.tmp`), "half");
    assert.equal((await scopes([directory], "example.com")).length, 1);
  });

  it("names that could leave the directory are refused", async () => {
    const keystore = openKeystore({ directories: [fresh()] });
    for (const name of ["..", "example.com/../..", "/etc", "a/./b", ""]) {
      await assert.rejects(keystore.keysFor(name), failure("USAGE", /./));
    }
  });

  it("loads neither zod nor openpgp, since run asks it", () => {
    const seen = new Set<string>();
    const packages = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      for (const [, target] of readFileSync(file, "utf8").matchAll(
        /^(?:import|export)\s(?!type\b)[^;]*?from "([^"]+)";/gm,
      )) {
        if (target === undefined) continue;
        if (/^\./.test(target)) visit(resolve(dirname(file), target));
        else packages.add(target);
      }
    };
    visit(resolve(import.meta.dirname, "../../../src/trust/keystore.ts"));
    assert.ok(seen.size > 5);
    assert.deepEqual(
      [...packages].filter((name) => !/^node:/.test(name)),
      [],
    );
  });
});
