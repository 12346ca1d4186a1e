import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { showConfig } from "../../src/api/config.ts";
import { loadSettings } from "../../src/api/settings.ts";
import { keepingLog } from "../helpers/fetch-world.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function setUp(t: Parameters<typeof temporaryDirectory>[0], files: Readonly<Record<string, object>>) {
  const home = await temporaryDirectory(t);
  const at = (path: string) => join(home, path);
  for (const [path, fields] of Object.entries(files)) {
    mkdirSync(dirname(at(path)), { recursive: true });
    const kind = /([a-z]+)\.d\//.exec(path)?.[1];
    const content = { perigeeKind: kind, perigeeVersion: "v1", ...fields };
    writeFileSync(at(path), JSON.stringify(content).replace("$HOME", home), { mode: 0o600 });
  }
  const log = keepingLog();
  const load = () =>
    loadSettings({ systemConfig: at("system"), localConfig: at("local"), userConfig: at("user"), log });
  return { at, log, load };
}

describe("showConfig (CLI-63)", () => {
  it("says which file sets what, and over which it wins", async (t) => {
    const { at, load } = await setUp(t, {
      "system/limits.d/a.json": { ratio: 300, depth: 10 },
      "local/limits.d/b.json": { ratio: 400 },
      "user/limits.d/c.json": { ratio: 500 },
      "local/paths.d/a.json": { data: "$HOME/data" },
      "system/http.d/a.json": { caFiles: ["/ca.pem"], connectTo: ["a.com:127.0.0.1:1"] },
      "user/http.d/a.json": { connectTo: ["a.com:127.0.0.1:2"] },
    });
    const { values, dataFrom, directories } = await showConfig(await load());
    assert.deepEqual([directories.data, dataFrom], [at("data"), at("local/paths.d/a.json")]);
    assert.deepEqual(
      values
        .filter(({ file }) => file !== null)
        .map(({ kind, item, value, file, overrides }) => [kind, item, value, file, ...overrides]),
      [
        ["paths", "data", at("data"), at("local/paths.d/a.json")],
        ["http", "caFiles", "/ca.pem", at("system/http.d/a.json")],
        ["http", "connectTo", "a.com:127.0.0.1:2", at("user/http.d/a.json"), at("system/http.d/a.json")],
        ["limits", "depth", 10, at("system/limits.d/a.json")],
        ["limits", "ratio", 500, at("user/limits.d/c.json"), at("local/limits.d/b.json"), at("system/limits.d/a.json")],
      ].sort((a, b) => order(a) - order(b)),
    );
    const entries = values.find(({ item }) => item === "entries");
    assert.deepEqual([entries?.value, entries?.file], [2_000_000, null]);

    function order([, item]: readonly unknown[]): number {
      return values.findIndex((one) => one.item === item);
    }
  });

  it("holds nothing that is secret", async (t) => {
    const secrets = ["S3CRET-password", "S3CRET-token", "S3CRET-id", "S3CRET-key"];
    const [password, token, accessKeyID, secretAccessKey] = secrets;
    const { load } = await setUp(t, {
      "user/auth.d/a.json": { domains: ["a.com"], type: "basic", credentials: { user: "ann", password } },
      "user/auth.d/b.json": { domains: ["b.com"], type: "oauth", credentials: { token } },
      "user/auth.d/c.json": {
        ...{ domains: ["c.com"], type: "aws" },
        credentials: { accessKeyID, secretAccessKey, awsRegion: "eu-west-1" },
      },
    });
    const config = await showConfig(await load());
    const auth = config.values.filter(({ kind }) => kind === "auth");
    assert.deepEqual(
      auth.map(({ item, value }) => `${item}: ${value}`),
      [
        "a.com: basic, user ann, password hidden",
        "b.com: oauth, token hidden",
        "c.com: aws, access key hidden, secret hidden, region eu-west-1",
      ],
    );
    assert.ok(!JSON.stringify(config).includes("S3CRET"));
  });

  it("CLI-15: a field that nobody knows is a warning with the one that was meant, once", async (t) => {
    const { log, load } = await setUp(t, {
      "local/limits.d/a.json": { totalsize: 1 },
      "local/paths.d/a.json": { "stage1-images": "/x", dta: "/y" },
      "local/http.d/a.json": { proxies: [] },
    });
    await showConfig(await load());
    const warnings = log.messages.filter((message) => message.includes("is no field"));
    assert.equal(warnings.length, 3, warnings.join("\n"));
    assert.match(warnings.join("\n"), /limits\.d\/a\.json: totalsize is no field .*did you mean totalSize\?/);
    assert.match(warnings.join("\n"), /dta is no field .*did you mean data\?/);
    assert.match(warnings.join("\n"), /proxies is no field .*known are caFiles, connectTo/);
  });
});
