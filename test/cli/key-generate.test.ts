import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { listKeys } from "../../src/api/keys.ts";
import command from "../../src/cli/commands/key-generate.ts";
import { failure, invoke, settingsIn, temporary } from "../helpers/trust.ts";

const who = { name: "Example Builds", email: "builds@example.com" };

describe("perigee key generate", () => {
  const path = temporary();
  const fresh = (overrides = {}) => settingsIn(mkdtempSync(path("case-")), overrides);

  it("asks for the passphrase twice and prints the fingerprint in groups of four and the file", async () => {
    const settings = fresh();
    const { result, lines, asked } = await invoke(command, settings, { options: who, answers: ["secret", "secret"] });
    assert.equal(asked.length, 2);
    assert.equal(lines[0]?.replaceAll(" ", ""), result.fingerprint);
    assert.match(lines[0] ?? "", /^([0-9a-f]{4} ){9}[0-9a-f]{4}$/);
    assert.equal(lines[1], `  secret key: ${result.path}`);
    assert.equal(result.isProtected, true);
  });

  it("refuses two that differ, and an empty one", async () => {
    const settings = fresh();
    await assert.rejects(invoke(command, settings, { options: who, answers: ["a", "b"] }), failure("USAGE", /differ/));
    await assert.rejects(invoke(command, settings, { options: who, answers: ["", ""] }), failure("USAGE", /empty/));
    assert.deepEqual(await listKeys(settings), []);
  });

  it("asks nothing when the passphrase is given, or is not wanted", async () => {
    writeFileSync(path("pass"), "secret\n");
    const environment = new Map([["PERIGEE_PASSPHRASE", "secret"]]);
    const cases = [
      [fresh(), { "passphrase-file": path("pass") }, true],
      [fresh({ environment }), {}, true],
      [fresh({ environment }), { passphrase: false }, false],
    ] as const;
    for (const [settings, options, isProtected] of cases) {
      const { result, asked } = await invoke(command, settings, { options: { ...who, ...options } });
      assert.deepEqual([result.isProtected, asked], [isProtected, []]);
    }
  });

  it("without a terminal says which flags to use", async () => {
    await assert.rejects(invoke(command, fresh(), { options: who }), failure("USAGE", /no terminal/));
  });

  it("makes rsa4096 on request and nothing else", async () => {
    const { result } = await invoke(command, fresh(), { options: { ...who, type: "rsa4096", passphrase: false } });
    assert.equal(result.algorithm, "rsa4096");
    const wrong = { ...who, type: "dsa", passphrase: false };
    await assert.rejects(invoke(command, fresh(), { options: wrong }), failure("USAGE", /ed25519 or rsa4096/));
  });

  it("needs a name and an email, and one way to the passphrase", async () => {
    await assert.rejects(invoke(command, fresh(), { options: { name: "x" } }), failure("USAGE", /--email/));
    const both = { ...who, "passphrase-file": path("pass"), passphrase: false };
    await assert.rejects(invoke(command, fresh(), { options: both }), failure("USAGE", /exclude/));
  });

  it("gives plain data as JSON", async () => {
    const { json, result } = await invoke(command, fresh(), { options: { ...who, passphrase: false } });
    assert.deepEqual(json, {
      fingerprint: result.fingerprint,
      identities: ["Example Builds <builds@example.com>"],
      algorithm: "ed25519",
      createdAt: result.createdAt.toISOString(),
      hasSecret: true,
      isProtected: false,
      state: "ok",
      path: result.path,
    });
  });
});
