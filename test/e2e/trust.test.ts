/** Trust is asked again whenever a pod runs or is planned (TRUST-20): the whole way from a key to a refused run, and back. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import * as openpgp from "openpgp";
import { armor } from "../../src/trust/armor.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const image = "example.com/guest";
const place = (...parts: readonly string[]) =>
  work.path(...parts, "trustedkeys", "prefix.d", "example.com", fingerprint);
let fingerprint = "";
let secret: openpgp.PrivateKey;

before(async () => {
  work.must(["key", "generate", "--name", "Signer", "--email", "s@example.com", "--no-passphrase"]);
  const [made] = JSON.parse(work.must(["key", "list", "--format", "json"]));
  fingerprint = made.fingerprint;
  secret = await openpgp.readPrivateKey({ armoredKey: readFileSync(made.path, "utf8") });
  work.must(["sign", work.image(image, { exec: ["/guest"] })]);
  writeFileSync(work.path("key.asc"), work.must(["key", "export", fingerprint]));
  trust();
  work.must(["fetch", work.path("example.com-guest.aci")]);
});
after(async () => {
  work.must(["gc", "--grace-period=0s"]);
  assert.deepEqual(work.pods(), []);
  await work.close();
  await assertNothingLeft(clean);
});

function trust(): void {
  work.must(["trust", "--prefix", "example.com", "--fingerprint", fingerprint, work.path("key.asc")]);
}

/** Exit statuses of run and of plan, and what the run said. */
function tried(...global: readonly string[]): { readonly statuses: readonly number[]; readonly said: string } {
  const run = work.perigee([...global, "run", image, "--", "exit", "7"]);
  const plan = work.perigee([...global, "plan", image]);
  return { statuses: [run.status, plan.status], said: run.stderr };
}

function assertRuns(...global: readonly string[]): void {
  const { statuses, said } = tried(...global);
  assert.deepEqual(statuses, [7, 0], said);
}

function assertRefused(code: string, status: number): void {
  const { statuses, said } = tried();
  assert.deepEqual(statuses, [125, status], said);
  assert.match(said, new RegExp(`^error\\[${code}\\]: .*example\\.com/guest`, "m"));
  assert.match(said, /\n {2}try: /);
}

/** Stores a copy of the public key in place of the trusted one. */
function replaceKey(key: openpgp.Key): void {
  writeFileSync(place("etc"), armor("PUBLIC KEY BLOCK", key.toPublic().write()), { mode: 0o644 });
}

describe("TRUST-20: run and plan ask again", () => {
  it("an image runs while the key that vouched for it is trusted", () => {
    assert.match(work.must(["trust", "check", image]), /1 key counts/);
    assertRuns();
  });

  it("not when the key was removed, unless overridden; again when it is trusted again", () => {
    work.must(["trust", "rm", fingerprint]);
    assert.equal(work.perigee(["trust", "check", image]).status, 4);
    assertRefused("KEY_UNTRUSTED", 4);
    assertRuns("--insecure-options=image");
    assertRefused("KEY_UNTRUSTED", 4);
    trust();
    assertRuns();
  });

  it("T-S27: not when it is masked, by whatever later directory", () => {
    mkdirSync(join(place("config", "perigee"), ".."), { recursive: true, mode: 0o755 });
    writeFileSync(place("config", "perigee"), "", { mode: 0o644 });
    assert.match(work.must(["trust", "list"]), / masked /);
    assertRefused("KEY_UNTRUSTED", 4);
    assertRuns("--insecure-options=image");
    rmSync(place("config", "perigee"));
    assertRuns();
  });

  it("T-S27: a key that the system brings is masked by rm", () => {
    mkdirSync(join(place("usr-lib"), ".."), { recursive: true, mode: 0o755 });
    writeFileSync(place("usr-lib"), readFileSync(place("etc")), { mode: 0o644 });
    assert.match(work.must(["trust", "rm", "--prefix", "example.com", fingerprint]), /masked by .*etc/);
    assertRefused("KEY_UNTRUSTED", 4);
    rmSync(place("usr-lib"));
    trust();
    assertRuns();
  });

  it("T-S15, T-S16: not when the key is trusted for other names only", () => {
    work.must(["trust", "rm", fingerprint]);
    for (const prefix of ["example.com/gue", "example.com/guest/x", "example.org"]) {
      work.must(["trust", "--prefix", prefix, "--fingerprint", fingerprint, work.path("key.asc")]);
    }
    assertRefused("KEY_UNTRUSTED", 4);
    work.must(["trust", "--prefix", image, "--fingerprint", fingerprint, work.path("key.asc")]);
    assertRuns();
    work.must(["trust", "rm", fingerprint]);
    trust();
  });

  it("T-S09: not when its owner revoked it", async () => {
    const { privateKey } = await openpgp.revokeKey({ key: secret, format: "object" });
    replaceKey(privateKey);
    assert.match(work.must(["trust", "list"]), / revoked /);
    assertRefused("KEY_UNTRUSTED", 4);
    assertRuns("--insecure-options=image");
    // TRUST-26: the copy from before does not take its place; who takes all trust away begins anew.
    assert.throws(trust, /KEY_INVALID\]: .*revoked; this is an older copy/);
    assertRefused("KEY_UNTRUSTED", 4);
    work.must(["trust", "rm", fingerprint]);
    trust();
    assertRuns();
  });

  it("T-S08: expiry counts at fetch only", async () => {
    const { privateKey } = await openpgp.reformatKey({
      privateKey: secret,
      userIDs: [{ name: "Signer" }],
      keyExpirationTime: 1,
      date: secret.getCreationTime(),
      format: "object",
    });
    await new Promise((resolve) =>
      setTimeout(resolve, 2000 - Math.min(Date.now() - secret.getCreationTime().getTime(), 2000)),
    );
    replaceKey(privateKey);
    assert.match(work.must(["trust", "list"]), / expired /);
    assertRuns();
    const fetched = work.perigee(["fetch", work.path("example.com-guest.aci")]);
    assert.equal(fetched.status, 4, fetched.stderr);
    assert.match(fetched.stderr, /^error\[SIGNATURE_INVALID\]: [\s\S]*expired/);
    assertRuns();
    trust();
  });
});

describe("an image that was stored unsigned", () => {
  const other = "example.com/unsigned";
  const run = (...global: readonly string[]) => work.perigee([...global, "run", other, "--", "exit", "7"]);

  it("needs the option at every run, until it is fetched with its signature", () => {
    const path = work.image(other, { exec: ["/guest"] });
    assert.equal(work.perigee(["fetch", path]).status, 4);
    work.must(["--insecure-options=image", "fetch", path]);
    for (const _ of [1, 2]) {
      const refused = run();
      assert.equal(refused.status, 125, refused.stderr);
      assert.match(refused.stderr, /^error\[SIGNATURE_MISSING\]: [\s\S]*\n {2}try: .*--insecure-options=image/);
      assert.equal(work.perigee(["plan", other]).status, 4);
      assert.equal(run("--insecure-options=image").status, 7);
    }
    work.must(["sign", path]);
    work.must(["fetch", path]);
    assert.equal(run().status, 7);
  });

  it("T-D16: counts by itself as a dependency: a signed image on an unsigned one does not run", () => {
    const base = "example.com/base";
    work.must(["--insecure-options=image", "fetch", work.image(base)]);
    const top = work.path("top.aci");
    const manifest = JSON.parse(readFileSync(work.path("example.com-guest.json"), "utf8"));
    const withBase = { ...manifest, name: "example.com/top", dependencies: [{ imageName: base }] };
    writeFileSync(work.path("top.json"), JSON.stringify(withBase));
    work.must(["build", "--manifest", work.path("top.json"), "--rootfs", work.path("example.com-guest-rootfs"), top]);
    work.must(["sign", top]);
    work.must(["--insecure-options=image", "fetch", top]);
    const refused = work.perigee(["run", "example.com/top", "--", "exit", "7"]);
    assert.equal(refused.status, 125, refused.stderr);
    assert.match(refused.stderr, /^error\[SIGNATURE_MISSING\]/m);
    assert.equal(work.perigee(["--insecure-options=image", "run", "example.com/top", "--", "exit", "7"]).status, 7);
  });
});
