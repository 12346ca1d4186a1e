/** Real registries with TLS by an authority of their own and with passwords: who we are comes from every kind of file, and from credential helpers. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Authority, createAuthority } from "../helpers/https-server.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { directory, file, layer, writeLayout } from "../helpers/oci-images.ts";
import { type Outcome, Workspace } from "../helpers/program.ts";
import { passwordFile, push, startRegistry } from "../helpers/registry.ts";

const clean = leakSnapshot();
const work = new Workspace();
let authority: Authority;
let [host, open, digest] = ["", "", ""];

before(async () => {
  authority = createAuthority();
  const tls = authority.issue(["127.0.0.1"]);
  host = await startRegistry(work, "guarded", { tls, htpasswd: passwordFile });
  open = await startRegistry(work, "mirror", { tls });
  const parts = { layers: [layer([directory("./"), file("a")])], config: { Cmd: ["/a"] }, tag: "1.0" };
  digest = writeLayout(work.path("web"), parts);
  push(work, `${work.path("web")}:1.0`, `${host}/team/web:1.0`, ["--dest-creds=me:secret"]);
  push(work, `${work.path("web")}:1.0`, `${open}/copies/team/web:1.0`);
});
after(async () => {
  work.perigee(["gc", "--grace-period=0s"]);
  authority.remove();
  await work.close();
  await assertNothingLeft(clean);
});

function write(path: string, value: object): string {
  mkdirSync(dirname(work.path(path)), { recursive: true });
  writeFileSync(work.path(path), JSON.stringify(value), { mode: 0o600 });
  return work.path(path);
}

function fetch(env: Readonly<Record<string, string>> = {}, ca = true): Outcome {
  const more = ca ? [`--ca-file=${authority.caFile}`] : [];
  return work.perigee([...more, "fetch", `docker://${host}/team/web@${digest}`], { env });
}

/** Fetched, and nothing secret told. */
function fetched(env: Readonly<Record<string, string>> = {}): void {
  const { status, stdout, stderr } = fetch(env);
  assert.equal(status, 0, stderr);
  assert.ok(!`${stdout}${stderr}`.includes("secret"));
}

const auth = { auth: Buffer.from("me:secret").toString("base64") };

/** A credential helper as docker's are. */
function helper(name: string, script: string): string {
  const path = work.path("bin", `docker-credential-${name}`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return `${work.path("bin")}:${process.env["PATH"] ?? ""}`;
}

describe("OCI-61, OCI-62: a registry with TLS and passwords", () => {
  it("an authority that is not known is refused", () => {
    const { status, stderr } = fetch({}, false);
    assert.equal(status, 7);
    assert.match(stderr, /TLS_FAILED/);
  });
  it("without a password, and with a wrong one, it is not for us", () => {
    const wrong = write("wrong.json", { auths: { [host]: { auth: Buffer.from("me:other").toString("base64") } } });
    for (const env of [{}, { REGISTRY_AUTH_FILE: wrong }]) {
      const { status, stderr } = fetch(env);
      assert.equal(status, 4);
      assert.match(stderr, /NOT_AUTHORISED.*is not for us[\s\S]*podman login/);
    }
  });
  it("OCI-63: passwords of podman and of docker", () => {
    fetched({ REGISTRY_AUTH_FILE: write("auth.json", { auths: { [host]: auth } }) });
    write("docker/config.json", { auths: { [host]: auth } });
    fetched({ DOCKER_CONFIG: work.path("docker") });
  });
});

describe("OCI-66: rkt's files", () => {
  it("of kind dockerAuth say who we are to a registry, and config shows it without what is secret", () => {
    const credentials = { user: "me", password: "secret" };
    const rkt = { rktKind: "dockerAuth", rktVersion: "v1", registries: [host], credentials };
    const path = write("etc/auth.d/docker.json", rkt);
    fetched();
    const shown = work.must(["config"]);
    assert.match(shown, /dockerAuth +127\.0\.0\.1:\d+ +basic, user me, password hidden/);
    assert.ok(!shown.includes("secret"));
    writeFileSync(path, JSON.stringify({ ...rkt, registries: ["a b"] }));
    assert.match(fetch().stderr, /CONFIG_INVALID[\s\S]*no host/);
    writeFileSync(path, JSON.stringify({ ...rkt, rktKind: "auth", domains: [host], type: "basic" }));
    fetched();
    writeFileSync(path, "{}");
    assert.match(fetch().stderr, /CONFIG_INVALID/);
    writeFileSync(path, JSON.stringify({ ...rkt, registries: ["other.example.com"] }));
  });
});

describe("OCI-65: credential helpers", () => {
  const answer = `read server; test "$server" = "$WANTED" && echo '{"ServerURL":"x","Username":"me","Secret":"secret"}'`;
  it("are asked for the registry that names one, and for all others", () => {
    const PATH = helper("keys", answer);
    for (const config of [{ credHelpers: { [host]: "keys" } }, { credsStore: "keys" }]) {
      write("docker/config.json", config);
      fetched({ DOCKER_CONFIG: work.path("docker"), PATH, WANTED: host });
    }
  });
  it("one that knows nothing leaves the next file to say it", () => {
    const PATH = helper("empty", "echo 'credentials not found in native keychain'; exit 1");
    write("docker/config.json", { credsStore: "empty" });
    const env = { DOCKER_CONFIG: work.path("docker"), PATH };
    assert.match(fetch(env).stderr, /NOT_AUTHORISED.*is not for us/);
    fetched({ ...env, REGISTRY_AUTH_FILE: write("auth.json", { credHelpers: {}, auths: { [host]: auth } }) });
  });
  it("one that is not there, and a name that would be a path, are told as that", () => {
    const cases = {
      "not-there": /NOT_FOUND.*docker-credential-not-there/,
      "../../bin/sh": /CONFIG_INVALID.*credential helper/,
    };
    for (const [name, told] of Object.entries(cases)) {
      write("docker/config.json", { credsStore: name });
      assert.match(fetch({ DOCKER_CONFIG: work.path("docker") }).stderr, told);
    }
  });
  it("are not run when somebody else may write the file that names them", () => {
    const PATH = helper("touch", `touch ${work.path("ran")}; exit 1`);
    const path = write("docker/config.json", { credsStore: "touch" });
    chmodSync(path, 0o666);
    const { stderr } = fetch({ DOCKER_CONFIG: work.path("docker"), PATH });
    assert.match(stderr, /not run: the file is not yours alone/);
    assert.equal(work.command(["test", "-e", work.path("ran")]).status, 1);
    chmodSync(path, 0o600);
  });
});

describe("OCI-67: mirrors", () => {
  const mirrored = (name: string, ...mirrors: readonly string[]) => {
    write("etc/registries.d/one.json", { perigeeKind: "registries", perigeeVersion: "v1", registry: name, mirrors });
  };
  const fetchFrom = (name: string) =>
    work.perigee([`--ca-file=${authority.caFile}`, "fetch", `docker://${name}/team/web@${digest}`]);

  it("are asked in order, before the registry, for what it calls the image", () => {
    mirrored("registry.test", `${open}/nowhere`, `${open}/copies`);
    const { status, stderr } = fetchFrom("registry.test");
    assert.equal(status, 0, stderr);
    assert.match(stderr, /the mirror 127\.0\.0\.1:\d+\/nowhere is passed over/);
    assert.match(work.must(["image", "list"]), /registry\.test\/team\/web/);
    assert.match(
      work.must(["config"]),
      /registries +registry\.test +127\.0\.0\.1:\d+\/nowhere 127\.0\.0\.1:\d+\/copies/,
    );
  });
  it("one that cannot help leaves the registry to say what it is", () => {
    mirrored(open, `${host}/copies`);
    const { status, stderr } = fetchFrom(open);
    assert.equal(status, 3);
    assert.match(stderr, /is passed over[\s\S]*NOT_FOUND.*is not there/);
  });
  it("a file that names none is refused", () => {
    mirrored("registry.test", "https://mirror.test");
    assert.match(fetchFrom("registry.test").stderr, /CONFIG_INVALID[\s\S]*HOST\[:PORT\]\[\/PATH\]/);
    mirrored("registry.test");
  });
});
