import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { credentialsOf } from "../../src/api/auth-files.ts";
import { Failure } from "../../src/base/failure.ts";
import { silentLog } from "../../src/base/log.ts";
import { makeTemporary } from "../helpers/temporary.ts";

let directory: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: directory, remove } = await makeTemporary());
});
afterEach(() => remove());

const warnings: string[] = [];
const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
const read = () =>
  credentialsOf(
    ["system", "local"].map((name) => join(directory, name)),
    log,
  );

function write(path: string, content: object, mode = 0o600): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), JSON.stringify(content), { mode });
}

const rkt = { rktKind: "auth", rktVersion: "v1" };
const basic = { ...rkt, domains: ["example.com"], type: "basic", credentials: { user: "ann", password: "hush" } };

describe("credentialsOf (CLI-18, DISC-11)", () => {
  it("reads rkt's files of each type, and ours", async () => {
    write("system/auth.d/a.json", basic);
    write("system/auth.d/b.json", {
      perigeeKind: "auth",
      perigeeVersion: "v1",
      domains: ["b.example:8443", "B2.example"],
      type: "oauth",
      credentials: { token: "t" },
    });
    const keys = { accessKeyID: "A", secretAccessKey: "S", awsRegion: "eu-west-1" };
    write("system/auth.d/c.json", { ...rkt, domains: ["c.example"], type: "aws", credentials: keys });
    const docker = { rktKind: "dockerAuth", rktVersion: "v1", registries: ["quay.io"] };
    write("system/auth.d/d.json", { ...docker, credentials: { user: "u", password: "p" } });
    assert.deepEqual(Object.fromEntries(await read()), {
      "example.com": { kind: "basic", user: "ann", password: "hush" },
      "b.example:8443": { kind: "bearer", token: "t" },
      "b2.example": { kind: "bearer", token: "t" },
      "c.example": { kind: "aws", accessKeyId: "A", secretAccessKey: "S", region: "eu-west-1" },
    });
  });

  it("a later directory replaces a host, two files of one directory must not name it", async () => {
    write("system/auth.d/a.json", basic);
    write("local/auth.d/a.json", { ...basic, credentials: { user: "bob", password: "x" } });
    assert.deepEqual((await read()).get("example.com"), { kind: "basic", user: "bob", password: "x" });
    write("local/auth.d/b.json", { ...basic, domains: ["example.com:443"] });
    await assert.rejects(read(), /cannot be used/);
  });

  it("warns when everybody can read the secrets", async () => {
    write("system/auth.d/a.json", basic, 0o644);
    await read();
    assert.match(warnings.join("\n"), /a\.json holds secrets/);
  });

  for (const [why, file] of [
    ["an unknown type", { ...basic, type: "kerberos" }],
    ["no domain", { ...basic, domains: [] }],
    ["a domain with a path", { ...basic, domains: ["example.com/x"] }],
    ["a missing password", { ...basic, credentials: { user: "hush" } }],
    ["a line end in a secret", { ...basic, type: "oauth", credentials: { token: "hush\r\nX: y" } }],
    ["a user with a colon", { ...basic, credentials: { user: "hush:b", password: "hush" } }],
    ["no object", { ...basic, credentials: "hush" }],
    ["another kind", { ...basic, rktKind: "paths" }],
  ] as const) {
    it(`refuses ${why}, and says nothing secret`, async () => {
      write("system/auth.d/a.json", file);
      await assert.rejects(read(), (error) => {
        assert.ok(error instanceof Failure && error.code === "CONFIG_INVALID");
        assert.ok(!`${error.message}${String(error.cause)}${error.hint}`.includes("hush"));
        return true;
      });
    });
  }
});
