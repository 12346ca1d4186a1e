import assert from "node:assert/strict";
import { createPublicKey, X509Certificate } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { openAuthority } from "../../src/site/authority.ts";
import { failure } from "../helpers/trust.ts";

const now = new Date();
let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `perigee-test-${process.pid}-`));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("openAuthority", () => {
  it("is made on first use, its key for its owner alone, and is the same ever after", async () => {
    const at = join(directory, "config", "authority");
    const { caFile } = await openAuthority(at, now);
    assert.equal(caFile, join(at, "ca.pem"));
    assert.equal(statSync(join(at, "authority.pem")).mode & 0o7777, 0o600);
    const first = readFileSync(caFile, "utf8");
    assert.doesNotMatch(first, /PRIVATE/);
    await openAuthority(at, now);
    assert.equal(readFileSync(caFile, "utf8"), first);
    assert.deepEqual(readdirSync(at).sort(), ["authority.pem", "ca.pem"]);
  });

  it("many processes at the same time get one authority", async () => {
    await Promise.all(Array.from({ length: 8 }, () => openAuthority(directory, now)));
    const certificate = new X509Certificate(readFileSync(join(directory, "ca.pem")));
    assert.deepEqual(certificate.publicKey, createPublicKey(readFileSync(join(directory, "authority.pem"))));
    assert.deepEqual(readdirSync(directory).sort(), ["authority.pem", "ca.pem"]);
  });

  it("a server's certificate is short-lived and begins before now", async () => {
    const { issue } = await openAuthority(directory, now);
    const server = issue(["example.com"], now);
    const certificate = new X509Certificate(server.certificate);
    assert.ok(Date.parse(certificate.validFrom) < now.getTime());
    assert.equal(Date.parse(certificate.validTo), Math.floor(server.expiresAt.getTime() / 1000) * 1000);
    assert.ok(server.expiresAt.getTime() - now.getTime() <= 30 * 24 * 3600 * 1000);
    assert.notEqual(issue(["example.com"], now).key, server.key);
  });

  it("a ca.pem that was changed or removed is put right", async () => {
    const { caFile } = await openAuthority(directory, now);
    const right = readFileSync(caFile, "utf8");
    writeFileSync(caFile, "other");
    await openAuthority(directory, now);
    assert.equal(readFileSync(caFile, "utf8"), right);
  });

  it("refuses a key that others can read, a damaged file, an expired authority", async () => {
    await openAuthority(directory, now);
    const path = join(directory, "authority.pem");
    chmodSync(path, 0o640);
    await assert.rejects(openAuthority(directory, now), failure("CONFIG_INVALID", /others may use/));
    chmodSync(path, 0o600);
    await assert.rejects(
      openAuthority(directory, new Date(now.getTime() + 3651 * 24 * 3600 * 1000)),
      failure("CONFIG_INVALID", /expired/),
    );
    const foreign = join(directory, "foreign");
    await openAuthority(foreign, now);
    const mixed =
      readFileSync(path, "utf8").replace(/-----BEGIN PRIVATE.*/s, "") +
      readFileSync(join(foreign, "authority.pem"), "utf8").replace(/.*(?=-----BEGIN PRIVATE)/s, "");
    writeFileSync(path, mixed);
    await assert.rejects(openAuthority(directory, now), failure("CONFIG_INVALID", /belong together/));
    writeFileSync(path, "nonsense");
    await assert.rejects(openAuthority(directory, now), failure("CONFIG_INVALID", /no certificate/));
    assert.ok(existsSync(path));
  });
});
