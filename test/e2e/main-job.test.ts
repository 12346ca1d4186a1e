/** The whole road: directory → image → signature → site → discovery → trust → fetch → pod → gone without a trace. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { imageManifest, printed, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
let there: readonly string[] = [];
let fingerprint = "";
let id = "";

after(async () => {
  await work.close();
  await assertNothingLeft(clean);
});

describe("the main job", () => {
  it("builds the same image from the same directory", () => {
    mkdirSync(work.path("web"), { recursive: true });
    writeFileSync(
      work.path("web", "manifest"),
      JSON.stringify(imageManifest("example.com/web", { exec: ["/guest", "exit", "7"] })),
    );
    work.rootfs("web/rootfs");
    id = work.must(["build", "web", "web.aci"]).trim();
    assert.match(id, /^sha512-[0-9a-f]{128}$/);
    const bytes = readFileSync(work.path("web.aci"));
    assert.equal(work.must(["build", "--overwrite", "web", "web.aci"]).trim(), id);
    assert.deepEqual(readFileSync(work.path("web.aci")), bytes);
  });

  it("signs it with a key of its own", () => {
    work.must(["key", "generate", "--name", "Test", "--email", "test@example.com", "--no-passphrase"]);
    const [key] = JSON.parse(work.must(["key", "list", "--format", "json"]));
    fingerprint = key.fingerprint;
    assert.match(fingerprint, /^[0-9a-f]{40}$/);
    work.must(["sign", "web.aci"]);
    assert.match(readFileSync(work.path("web.aci.asc"), "utf8"), /^-----BEGIN PGP SIGNATURE-----/);
  });

  it("publishes a site and serves it over HTTPS", async () => {
    work.must(["publish", "--out", "site", "--url", "https://example.com", "web.aci"]);
    const server = work.start(["serve", "--listen", "127.0.0.1:0", "site"]);
    const [, port] = await printed(server, /https:\/\/127\.0\.0\.1:(\d+)/);
    const ca = readdirSync(work.path("config"), { recursive: true })
      .map(String)
      .find((path) => path.endsWith("ca.pem"));
    assert.ok(ca !== undefined);
    there = ["--ca-file", work.path("config", ca), "--connect-to", `example.com:127.0.0.1:${port}`];
    const found = JSON.parse(work.must(["discover", "--format", "json", ...there, "example.com/web:1.0.0"]));
    assert.match(JSON.stringify(found), /web-1\.0\.0-linux-\w+\.aci\.asc/);
  });

  it("refuses it until its key is trusted (exit status 4)", () => {
    const refused = work.perigee(["fetch", ...there, "example.com/web:1.0.0"]);
    assert.equal(refused.status, 4);
    assert.match(refused.stderr, /error\[KEY_UNTRUSTED\]/);
    assert.match(refused.stderr, /try: .*perigee trust --prefix example\.com\/web/);
    assert.equal(work.must(["image", "list", "--format", "json"]).trim(), "[]");
  });

  it("T-D10: trusts a discovered key by fingerprint, and no other", () => {
    const wrong = work.perigee(["trust", "--prefix", "example.com/web", "--fingerprint", "0".repeat(40), ...there]);
    assert.notEqual(wrong.status, 0);
    work.must(["trust", "--prefix", "example.com/web", "--fingerprint", fingerprint, ...there]);
  });

  it("fetches it by name, and runs it: the app's status is the command's", () => {
    assert.equal(work.must(["fetch", "--full", ...there, "example.com/web:1.0.0"]).trim(), id);
    const ran = work.perigee(["run", "example.com/web:1.0.0"]);
    assert.equal(ran.status, 7, ran.stderr);
    const [pod] = JSON.parse(work.must(["list", "--format", "json"]));
    assert.equal(pod.state, "exited");
    assert.equal(pod.apps[0].exitStatus, 7);
  });

  it("a pod whose key is no longer trusted does not start", () => {
    const trusted = work.path("etc", "trustedkeys", "prefix.d", "example.com", "web", fingerprint);
    assert.ok(existsSync(trusted));
    const key = readFileSync(trusted);
    writeFileSync(trusted, "");
    const refused = work.perigee(["run", "example.com/web:1.0.0"]);
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /error\[KEY_UNTRUSTED\]/);
    writeFileSync(trusted, key);
    assert.equal(work.perigee(["run", "example.com/web:1.0.0"]).status, 7);
  });

  it("leaves nothing after gc and image rm", () => {
    work.must(["gc", "--grace-period=0s"]);
    assert.equal(work.must(["list", "--format", "json"]).trim(), "[]");
    work.must(["image", "rm", "example.com/web"]);
    work.must(["gc", "--grace-period=0s"]);
    const left = readdirSync(work.data, { recursive: true, withFileTypes: true }).filter(
      (entry) => !entry.isDirectory(),
    );
    // Locks, the version of the store, what the kernel was found to be able to, and what is remembered of the network.
    const remembered = ["answers", "newest"].map((name) => join(work.data, "store", name));
    assert.deepEqual(
      left
        .filter((entry) => !remembered.includes(entry.parentPath))
        .map((entry) => entry.name)
        .filter((name) => !/^(version|kernel|.*lock)$/.test(name)),
      [],
    );
    assert.equal(existsSync(join(work.data, "pods", "run")), true);
  });
});
