import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { registriesOf } from "../../src/api/registry-files.ts";
import { fails } from "../helpers/failures.ts";
import { testSettings } from "../helpers/settings.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function registries(context: TestContext, files: Readonly<Record<string, object>>) {
  const place = await temporaryDirectory(context);
  for (const [path, value] of Object.entries(files)) {
    mkdirSync(join(place, path, ".."), { recursive: true });
    writeFileSync(join(place, path), JSON.stringify(value), { mode: 0o600 });
  }
  const settings = testSettings();
  const config = { systemConfig: join(place, "a"), localConfig: join(place, "b"), userConfig: join(place, "c") };
  return registriesOf({ ...settings, directories: { ...settings.directories, ...config } });
}

const mirrors = (registry: unknown, list: unknown) => ({
  ...{ perigeeKind: "registries", perigeeVersion: "v1", registry, mirrors: list },
});

describe("configuration of registries", () => {
  it("OCI-67: the mirrors of a registry are those of the directory that counts most", async (context) => {
    const settings = await registries(context, {
      "a/registries.d/x.json": mirrors("docker.io", ["one.test"]),
      "a/registries.d/y.json": mirrors("quay.io", ["one.test"]),
      "b/registries.d/x.json": mirrors("docker.io", ["two.test:5000/docker", "three.test"]),
    });
    const found = await settings.mirrors();
    const [two, three] = [
      { host: "two.test:5000", prefix: "docker/" },
      { host: "three.test", prefix: "" },
    ];
    assert.deepEqual(found.get("docker.io"), [two, three]);
    assert.equal(found.get("quay.io")?.length, 1);
  });
  it("OCI-67: what is no registry and no mirror is refused", async (context) => {
    for (const wrong of [
      mirrors("a/b", []),
      mirrors(7, []),
      mirrors("a", ["http://b"]),
      mirrors("a", Array(11).fill("b")),
    ]) {
      const settings = await registries(context, { "b/registries.d/x.json": wrong });
      await assert.rejects(settings.mirrors(), fails("CONFIG_INVALID"));
    }
  });
  it("OCI-66: user and password of rkt's dockerAuth, and of auth, which counts more", async (context) => {
    const rkt = { rktKind: "dockerAuth", rktVersion: "v1", credentials: { user: "rkt", password: "1" } };
    const own = {
      perigeeKind: "auth",
      perigeeVersion: "v1",
      type: "basic",
      credentials: { user: "own", password: "2" },
    };
    const settings = await registries(context, {
      "b/auth.d/rkt.json": { ...rkt, registries: ["one.test", "two.test"] },
      "b/auth.d/own.json": { ...own, domains: ["two.test"] },
    });
    const found = await settings.passwords();
    assert.deepEqual(found.get("one.test"), { user: "rkt", password: "1" });
    assert.deepEqual(found.get("two.test"), { user: "own", password: "2" });
  });
});
