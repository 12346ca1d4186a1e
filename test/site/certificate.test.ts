import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { generateKey, selfSigned, serverCertificate } from "../../src/site/certificate.ts";

const names = ["example.com", "xn--bcher-kva.example"];
const addresses = ["127.0.0.1", "::1", "2001:db8::ffff:192.0.2.1"];
const validity = { from: new Date(Date.now() - 60_000), to: new Date(Date.now() + 3_600_000) };
let directory = "";

before(() => {
  directory = mkdtempSync(join(tmpdir(), `perigee-test-${process.pid}-`));
  const issuer = { name: "an authority, ümläut", key: generateKey() };
  const server = generateKey();
  writeFileSync(join(directory, "ca.pem"), selfSigned(issuer.name, issuer.key, validity));
  const certificate = serverCertificate([...names, ...addresses], server.publicKey, issuer, validity);
  writeFileSync(join(directory, "server.pem"), certificate);
  writeFileSync(join(directory, "server.key"), server.privateKey.export({ type: "pkcs8", format: "pem" }));
});
after(() => rmSync(directory, { recursive: true }));

const openssl = (...args: string[]): string =>
  execFileSync("openssl", args, { cwd: directory, encoding: "utf8", stdio: "pipe" });
const text = (file: string): string => openssl("x509", "-in", file, "-noout", "-text");

describe("certificates, as openssl reads them", () => {
  it("the server's is issued by the authority's, for servers, by the strict rules of RFC 5280", () => {
    const verified = openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem", "server.pem");
    assert.match(verified, /server.pem: OK/);
  });

  it("it holds for its names and addresses and no others", () => {
    const verify = (option: string, host: string) => openssl("verify", "-CAfile", "ca.pem", option, host, "server.pem");
    for (const name of names) verify("-verify_hostname", name);
    for (const address of addresses) verify("-verify_ip", address);
    verify("-verify_ip", "2001:db8:0:0:0:ffff:c000:201");
    assert.throws(() => verify("-verify_hostname", "other.example"), /mismatch/);
    assert.throws(() => verify("-verify_hostname", "sub.example.com"), /mismatch/);
    assert.throws(() => verify("-verify_ip", "127.0.0.2"), /mismatch/);
  });

  it("the authority may sign servers' certificates and nothing more", () => {
    assert.match(text("ca.pem"), /Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    assert.match(text("ca.pem"), /Key Usage: critical\s+Certificate Sign, CRL Sign/);
  });

  it("the server may be a server and nothing more", () => {
    assert.match(text("server.pem"), /Version: 3/);
    assert.match(text("server.pem"), /Basic Constraints: critical\s+CA:FALSE/);
    assert.match(text("server.pem"), /Key Usage: critical\s+Digital Signature\n/);
    assert.match(text("server.pem"), /Extended Key Usage:\s+TLS Web Server Authentication\n/);
  });

  it("the key is the one that was made", () => {
    const inside = openssl("x509", "-in", "server.pem", "-noout", "-pubkey");
    assert.equal(inside, openssl("pkey", "-in", "server.key", "-pubout"));
  });
});
