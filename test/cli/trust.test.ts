import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import * as openpgp from "openpgp";
import command from "../../src/cli/commands/trust.ts";
import { armor } from "../../src/trust/armor.ts";
import { describeKeys } from "../../src/trust/keys.ts";
import { openKeystore, storeTrustedKey } from "../../src/trust/keystore.ts";
import {
  failure,
  formatted,
  invoke,
  type MadeKey,
  made,
  makeKey,
  settingsIn,
  temporary,
  warnings,
} from "../helpers/trust.ts";

describe("perigee trust", () => {
  const path = temporary();
  let key: MadeKey;
  let other: MadeKey;
  before(async () => {
    key = await makeKey({ userIDs: [{ name: "Evil\u001b[2J", email: "e@example.com" }, { name: "Second" }] });
    other = await makeKey();
    writeFileSync(path("key.asc"), key.armored);
    writeFileSync(
      path("two.asc"),
      armor("PUBLIC KEY BLOCK", Buffer.concat([key.key.toPublic().write(), other.key.toPublic().write()])),
    );
    const { privateKey } = await openpgp.revokeKey({ key: other.key, format: "object" });
    writeFileSync(path("revoked.asc"), made(privateKey).armored);
  });
  const fresh = () => settingsIn(mkdtempSync(path("case-")));
  const trusted = async (settings: ReturnType<typeof fresh>) =>
    (await openKeystore({ directories: [settings.directories.userConfig] }).keysFor(undefined)).map(
      ({ fingerprint }) => fingerprint,
    );
  const prefix = "example.com/web";

  it("shows prefix, location, fingerprint and identities, and stores on a typed yes", async () => {
    const settings = fresh();
    const { asked, lines, json, result } = await invoke(command, settings, {
      args: [path("key.asc")],
      options: { prefix },
      answers: [" YES "],
    });
    const [question] = asked;
    assert.match(question ?? "", /prefix: +example\.com\/web\n/);
    assert.ok(question?.includes(path("key.asc")));
    assert.ok(question?.includes(formatted(key.fingerprint)));
    assert.ok(question?.includes("Evil\\x1b[2J <e@example.com>") && question.includes("Second"));
    assert.deepEqual(lines, [`trusted for example.com/web: ${formatted(key.fingerprint)}`, `  ${result[0]?.path}`]);
    assert.deepEqual(await trusted(settings), [key.fingerprint]);
    assert.deepEqual(json, [{ ...result[0], identities: [...(result[0]?.identities ?? [])] }]);
  });

  it("asks nothing for a key that is trusted for that prefix already; y is yes", async () => {
    const settings = fresh();
    const args = [path("key.asc")];
    const first = await invoke(command, settings, { args, options: { prefix }, answers: ["y"] });
    assert.equal(first.asked.length, 1);
    assert.match(first.asked[0] ?? "", /\[y\/N\] $/);
    const again = await invoke(command, settings, { args, options: { prefix }, answers: [] });
    assert.deepEqual(again.asked, []);
    assert.deepEqual(again.lines, first.lines);
    // Another prefix is another question.
    const other = await invoke(command, settings, { args, options: { prefix: "example.com" }, answers: ["y"] });
    assert.equal(other.asked.length, 1);
  });

  it("stores nothing on any other answer", async () => {
    for (const answer of ["", "n", "no", "yes please"]) {
      const settings = fresh();
      const run = invoke(command, settings, { args: [path("key.asc")], options: { prefix }, answers: [answer] });
      await assert.rejects(run, failure("KEY_UNTRUSTED", /no key was accepted/));
      assert.deepEqual(await trusted(settings), []);
    }
  });

  it("reviews every key of a file by itself", async () => {
    const settings = fresh();
    const { asked } = await invoke(command, settings, {
      args: [path("two.asc")],
      options: { prefix },
      answers: ["no", "yes"],
    });
    assert.equal(asked.length, 2);
    assert.deepEqual(await trusted(settings), [other.fingerprint]);
  });

  it("T-D10, T-D11: without a terminal it needs the whole fingerprint, or to be told not to look", async () => {
    const settings = fresh();
    const run = (options: Record<string, string | boolean | readonly string[]>) =>
      invoke(command, settings, { args: [path("two.asc")], options: { prefix, ...options } });
    await assert.rejects(run({}), failure("KEY_UNTRUSTED", /no terminal/));
    await assert.rejects(run({ fingerprint: ["0".repeat(40)] }), failure("KEY_UNTRUSTED", /no key has that/));
    for (const short of [key.fingerprint.slice(-16), `${key.fingerprint}00`, "x".repeat(40)]) {
      await assert.rejects(run({ fingerprint: [short] }), failure("USAGE", /40 hex digits/));
    }
    assert.deepEqual(await trusted(settings), []);
    await run({ fingerprint: [formatted(key.fingerprint).toUpperCase()] });
    assert.deepEqual(await trusted(settings), [key.fingerprint]);
    await run({ "skip-fingerprint-review": true });
    assert.deepEqual((await trusted(settings)).sort(), [key.fingerprint, other.fingerprint].sort());
  });

  it("leaves out keys that would not count", async () => {
    const { log, heard } = warnings();
    const settings = { ...fresh(), log };
    const skip = { prefix, "skip-fingerprint-review": true };
    await assert.rejects(
      invoke(command, settings, { args: [path("revoked.asc")], options: skip }),
      failure("KEY_INVALID", /revoked/),
    );
    await invoke(command, settings, { args: [path("revoked.asc"), path("key.asc")], options: skip });
    assert.deepEqual(await trusted(settings), [key.fingerprint]);
    assert.match(heard.join("\n"), /left out .*revoked/);
  });

  it("TRUST-25: a revoked copy of a trusted key takes its place wherever it counts, without a question", async () => {
    writeFileSync(path("other.asc"), other.armored);
    for (const isRoot of [true, false]) {
      const settings = { ...fresh(), caller: { uid: isRoot ? 0 : 1000, gid: 0, isRoot } };
      const { localConfig, userConfig } = settings.directories;
      await storeTrustedKey(localConfig, "root", other.armored);
      await storeTrustedKey(userConfig, { prefix }, other.armored);
      const args = [path("other.asc"), path("revoked.asc")];
      const { lines, result } = await invoke(command, settings, { args, options: { prefix } });
      assert.deepEqual(
        lines.filter((_, index) => index % 2 === 0),
        ["all images", prefix].map(
          (names) => `${formatted(other.fingerprint)} is revoked now and does not count any more for ${names}`,
        ),
      );
      assert.deepEqual(new Set(result.map(({ isRevoked }) => isRevoked)), new Set([true]));
      const keys = await openKeystore({ directories: [localConfig, userConfig] }).keysFor(undefined);
      const states = await Promise.all(keys.map(async ({ armored }) => (await describeKeys(armored))[0]?.state));
      assert.deepEqual(states, ["revoked", "revoked"]);
    }
  });

  it("TRUST-25: with --fingerprint, of that key only", async () => {
    const settings = fresh();
    await storeTrustedKey(settings.directories.userConfig, { prefix }, other.armored);
    const options = { prefix, fingerprint: [key.fingerprint] };
    await invoke(command, settings, { args: [path("revoked.asc"), path("key.asc")], options });
    const copies = await openKeystore({ directories: [settings.directories.userConfig] }).keysFor(prefix);
    assert.ok(copies.find(({ fingerprint }) => fingerprint === other.fingerprint)?.armored.equals(other.armored));
    assert.equal(copies.length, 2);
  });

  it("asks for exactly one scope", async () => {
    const run = (options: Record<string, string | boolean>) =>
      invoke(command, fresh(), { args: [path("key.asc")], options });
    await assert.rejects(run({}), failure("USAGE", /either --prefix or --root/));
    await assert.rejects(run({ prefix, root: true }), failure("USAGE", /either/));
    await assert.rejects(run({ prefix: "https://example.com" }), failure("USAGE", /whole components/));
    const { lines } = await invoke(command, fresh(), {
      args: [path("key.asc")],
      options: { root: true },
      answers: ["yes"],
    });
    assert.match(lines[0] ?? "", /^trusted for all images: /);
  });
});
