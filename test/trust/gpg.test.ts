/** Signing through the user's gpg and its agent. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { findGpgKey, type GpgKey, type GpgOptions, startGpg } from "../../src/trust/gpg.ts";
import { generateKey, unlockKey } from "../../src/trust/keys.ts";
import { storeTrustedKey } from "../../src/trust/keystore.ts";
import { signStream } from "../../src/trust/sign.ts";
import { failure, privateGpg, temporary, verify } from "../helpers/trust.ts";

const content = Buffer.alloc(3 * 1024 * 1024, "archive");
async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
}

describe("TRUST-24: keys of gpg", () => {
  const path = temporary();
  const { gpg } = privateGpg(() => path("gnupg"));
  const options = (more: Readonly<Record<string, string>> = {}): GpgOptions => ({
    environment: new Map(Object.entries({ PATH: process.env["PATH"] ?? "", GNUPGHOME: path("gnupg"), ...more })),
  });
  const users = ["one@example.com", "two@example.com"];
  const sign = async (keys: readonly GpgKey[], bytes = content) =>
    await signStream(pieces(bytes), [], new Date(), { gpg: await startGpg(options(), keys) });
  before(() => {
    mkdirSync(path("gnupg"), { mode: 0o700 });
    const create = (user: string, passphrase: string, ...kind: string[]) =>
      gpg("--passphrase", passphrase, "--quick-gen-key", user, ...kind);
    for (const user of users) create(user, "", "ed25519", "sign", "never");
    create("protected@example.com", "secret", "ed25519", "sign", "never");
    create("weak@example.com", "", "dsa2048", "sign", "never");
    // Nobody is there to ask: a pinentry that says so at once.
    writeFileSync(
      path("pinentry"),
      '#!/bin/sh\necho OK\nwhile read -r line; do case $line in GETPIN*) echo "ERR 83886179 cancelled";; BYE*) exit;; *) echo OK;; esac; done\n',
    );
    chmodSync(path("pinentry"), 0o755);
    writeFileSync(path("gnupg", "gpg-agent.conf"), `pinentry-program ${path("pinentry")}\n`);
    execFileSync("gpgconf", ["--kill", "all"], { env: { PATH: process.env["PATH"], GNUPGHOME: path("gnupg") } });
  });

  it("are found by what gpg finds keys by, one at a time", async () => {
    const key = await findGpgKey(options(), "one@example.com");
    assert.match(key.fingerprint, /^[0-9a-f]{40}$/);
    assert.match(key.armored.toString(), /PUBLIC KEY BLOCK/);
    for (const id of [key.fingerprint, key.fingerprint.slice(-16).toUpperCase(), `0x${key.fingerprint}`]) {
      assert.equal((await findGpgKey(options(), id)).fingerprint, key.fingerprint);
    }
    await assert.rejects(findGpgKey(options(), "example.com"), failure("AMBIGUOUS", /several/));
    await assert.rejects(findGpgKey(options(), "weak@example.com"), failure("KEY_INVALID", /dsa/));
    for (const id of ["nobody@example.com", "--help", "--version", "", "\n"]) {
      await assert.rejects(findGpgKey(options(), id), failure("NOT_FOUND", /./), id);
    }
    await assert.rejects(findGpgKey(options({ PATH: path("nowhere") }), "one"), failure("NOT_FOUND", /gpg cannot/));
  });

  it("sign what passes by, several in one file, beside ours and earlier ones", async () => {
    const keys = [];
    for (const user of users) keys.push(await findGpgKey(options(), user));
    const ours = await generateKey({ name: "Ours", email: "o@example.com", type: "ed25519", now: new Date() });
    const trusted = [...keys.map(({ armored }) => armored), Buffer.from(ours.publicArmored)];
    for (const armored of trusted) await storeTrustedKey(path("trusted"), "root", armored);
    const [one, two] = keys;
    assert.ok(one !== undefined && two !== undefined);
    const { file: earlier } = await sign([one, two]);
    const { file: signature, kept } = await signStream(
      pieces(content),
      [await unlockKey(Buffer.from(ours.secretArmored))],
      new Date(),
      { gpg: await startGpg(options(), [two]), earlier },
    );
    assert.equal(kept, 1);
    const signers = await verify({ directory: path("trusted"), signature, content, now: new Date() });
    assert.deepEqual(
      signers.map(({ fingerprint }) => fingerprint),
      [one.fingerprint, ours.info.fingerprint, two.fingerprint],
    );
    writeFileSync(path("image.aci"), content);
    writeFileSync(path("one.asc"), earlier);
    gpg("--verify", path("one.asc"), path("image.aci"));
  });

  it("that gpg cannot open make no signature", async () => {
    const key = await findGpgKey(options(), "protected@example.com");
    await assert.rejects(sign([key]), failure("PASSPHRASE_WRONG", /gpg did not sign/));
  });

  it("make signatures that are judged like everybody's, whatever gpg.conf says", async () => {
    const key = await findGpgKey(options(), "one@example.com");
    // gpg refuses to sign text with longer lines.
    const short = Buffer.from("a line\n");
    const conf = path("gnupg", "gpg.conf");
    for (const line of ["sig-notation !critical@example.com=x", "textmode"]) {
      writeFileSync(conf, `${line}\n`);
      await assert.rejects(sign([key], short), failure("KEY_INVALID", /nobody would accept/));
    }
    writeFileSync(conf, "armor\ncomment by gpg\ndigest-algo SHA1\n");
    await storeTrustedKey(path("conf"), "root", key.armored);
    const { file } = await sign([key]);
    assert.equal((await verify({ directory: path("conf"), signature: file, content, now: new Date() })).length, 1);
    writeFileSync(conf, "");
  });

  it("that ends early is told, and it never sees our passphrase", async () => {
    const fake = path("bin");
    mkdirSync(fake);
    writeFileSync(join(fake, "gpg"), `#!/bin/sh\nenv > ${path("env")}\nexit 2\n`);
    chmodSync(join(fake, "gpg"), 0o755);
    const environment = options({ PATH: `${fake}:${process.env["PATH"] ?? ""}`, PERIGEE_PASSPHRASE: "secret" });
    const key = { fingerprint: "0".repeat(40), armored: Buffer.alloc(0) };
    const signing = await startGpg(environment, [key]);
    for await (const chunk of pieces(content)) await signing.update(chunk);
    await assert.rejects(signing.finish(), failure("KEY_INVALID", /gpg did not sign/));
    assert.doesNotMatch(readFileSync(path("env"), "utf8"), /secret/);
    const waiting = await startGpg(options(), [key]);
    waiting.abandon();
    await assert.rejects(waiting.finish(), failure("KEY_INVALID", /./));
    const interrupted = { ...options(), signal: AbortSignal.abort() };
    await assert.rejects(startGpg(interrupted, [key]), failure("INTERRUPTED", /./));
  });
});
