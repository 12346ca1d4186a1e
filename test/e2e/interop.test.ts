/** With the tools of Debian: an image that actool built and gpg signed is fetched and run; ours are read by actool, gpgv, tar, curl and openssl. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { imageManifest, type Outcome, printed, Workspace } from "../helpers/program.ts";

const work = new Workspace();

function must(argv: readonly string[], input?: string): string {
  const { status, stdout, stderr }: Outcome = work.command(argv, { input });
  assert.equal(status, 0, `${argv.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

before(() => {
  mkdirSync(work.path("gnupg"), { mode: 0o700 });
  mkdirSync(work.path("layout"));
  writeFileSync(
    work.path("layout", "manifest"),
    JSON.stringify(imageManifest("example.com/theirs", { exec: ["/guest", "exit", "9"] })),
  );
  work.rootfs("layout/rootfs");
});
after(async () => {
  work.command(["gpgconf", "--kill", "all"]);
  await work.close();
});

describe("an image of actool, signed by gpg", () => {
  it("is fetched when its key is trusted, and runs", () => {
    must(["actool", "build", work.path("layout"), work.path("theirs.aci")]);
    const batch = ["gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", ""];
    must([...batch, "--quick-generate-key", "theirs@example.com", "rsa3072", "sign", "never"]);
    must([...batch, "--armor", "--output", work.path("theirs.aci.asc"), "--detach-sign", work.path("theirs.aci")]);
    must(["gpg", "--armor", "--output", work.path("theirs.asc"), "--export"]);
    assert.equal(work.perigee(["fetch", "./theirs.aci"]).status, 4);
    work.must(["trust", "--prefix", "example.com/theirs", "--skip-fingerprint-review", "theirs.asc"]);
    work.must(["fetch", "./theirs.aci"]);
    assert.equal(work.perigee(["run", "example.com/theirs"]).status, 9);
  });
});

describe("an image of ours", () => {
  before(() => {
    work.must(["build", "layout", "ours.aci"]);
    work.must(["key", "generate", "--name", "Ours", "--email", "ours@example.com", "--no-passphrase"]);
    work.must(["sign", "ours.aci"]);
  });

  it("is valid for actool, and a tar for tar", () => {
    must(["actool", "--debug", "validate", work.path("ours.aci")]);
    const names = must(["tar", "-tzf", work.path("ours.aci")])
      .trim()
      .split("\n");
    assert.deepEqual(names, ["manifest", "rootfs", "rootfs/guest"]);
  });

  it("has a signature that gpgv verifies", () => {
    const [key] = JSON.parse(work.must(["key", "list", "--format", "json"]));
    work.must(["key", "export", "--output", "ours.asc", key.fingerprint]);
    must(["gpg", "--batch", "--yes", "--output", work.path("ours.gpg"), "--dearmor", work.path("ours.asc")]);
    must(["gpgv", "--keyring", work.path("ours.gpg"), work.path("ours.aci.asc"), work.path("ours.aci")]);
  });

  it("is read from its site by curl, over a TLS that openssl accepts", async () => {
    work.must(["publish", "--out", "site", "--url", "https://example.com", "ours.aci"]);
    const server = work.start(["serve", "--listen", "127.0.0.1:0", "site"]);
    const [, port = ""] = await printed(server, /https:\/\/127\.0\.0\.1:(\d+)/);
    const ca = work.path("config", "perigee", "authority", "ca.pem");
    const curl = [
      "curl",
      "--silent",
      "--show-error",
      "--fail",
      "--cacert",
      ca,
      "--connect-to",
      `example.com:443:127.0.0.1:${port}`,
    ];
    const page = must([...curl, "https://example.com/theirs?ac-discovery=1"]);
    const template = /name="ac-discovery" content="example\.com\/theirs ([^"]+)"/.exec(page)?.[1] ?? "";
    const url = template
      .replace("{name}", "example.com/theirs")
      .replace("{version}", "1.0.0")
      .replace("{os}", "linux")
      .replace("{arch}", process.arch === "arm64" ? "aarch64" : "amd64")
      .replace("{ext}", "aci");
    must([...curl, "--output", work.path("downloaded.aci"), url]);
    assert.deepEqual(readFileSync(work.path("downloaded.aci")), readFileSync(work.path("ours.aci")));
    const verified = [
      "openssl",
      "s_client",
      "-connect",
      `127.0.0.1:${port}`,
      "-servername",
      "example.com",
      "-verify_hostname",
      "example.com",
    ];
    must([...verified, "-verify_return_error", "-CAfile", ca], "");
  });
});
