import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { credentialFiles, findCredentials } from "../../src/oci/credentials.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const auth = (words: string) => ({ auth: Buffer.from(words).toString("base64") });

it("OCI-63: the entry for the repository counts before that for the host, the first file before the next", async (context) => {
  const place = await temporaryDirectory(context);
  const [one, two] = [join(place, "auth.json"), join(place, "config.json")];
  writeFileSync(one, JSON.stringify({ auths: { "r.example.com/team": auth("team:1"), "empty.example.com": {} } }));
  const second = { "r.example.com": auth("host:a:b"), "https://index.docker.io/v1/": auth("hub:2") };
  writeFileSync(two, JSON.stringify({ auths: second, credsStore: "x" }));
  const files = [join(place, "none"), one, two];
  const ask = async () => undefined;
  const find = (host: string, repository: string) => findCredentials({ files, ask, log: silentLog }, host, repository);
  assert.deepEqual(await find("r.example.com", "team/web"), { user: "team", password: "1" });
  assert.deepEqual(await find("r.example.com", "teams/web"), { user: "host", password: "a:b" });
  assert.deepEqual(await find("docker.io", "library/web"), { user: "hub", password: "2" });
  assert.equal(await find("empty.example.com", "web"), undefined);
});

it("OCI-63: an entry that is no user and password is refused without being told", async (context) => {
  const path = join(await temporaryDirectory(context), "config.json");
  for (const words of ["nocolon", ":x", "a:b\nHost: c"]) {
    writeFileSync(path, JSON.stringify({ auths: { r: auth(words) } }));
    const refused = findCredentials({ files: [path], ask: async () => undefined, log: silentLog }, "r", "a");
    await assert.rejects(refused, (error) => fails("CONFIG_INVALID")(error) && !String(error).includes("Host"));
  }
});

it("OCI-63: where the files are follows the environment", () => {
  assert.deepEqual(credentialFiles(new Map([["HOME", "/h"]]), "/nowhere"), [
    "/h/.config/containers/auth.json",
    "/h/.docker/config.json",
  ]);
  const all = { REGISTRY_AUTH_FILE: "/r", XDG_RUNTIME_DIR: "/run/1", XDG_CONFIG_HOME: "/c", DOCKER_CONFIG: "/d" };
  const files = ["/r", "/run/1/containers/auth.json", "/c/containers/auth.json", "/d/config.json"];
  assert.deepEqual(credentialFiles(new Map(Object.entries(all))), files);
});

it("OCI-63: without a session podman's file is that of the user in /run", async (context) => {
  const place = await temporaryDirectory(context);
  writeFileSync(join(place, "auth.json"), "{}");
  const session: [string, string] = ["XDG_RUNTIME_DIR", "/run/1"];
  assert.equal(credentialFiles(new Map(), place)[0], join(place, "auth.json"));
  assert.equal(credentialFiles(new Map([session]), place)[0], "/run/1/containers/auth.json");
});
