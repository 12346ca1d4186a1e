import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { loadSettings, parseInsecureOptions, readEnvironment } from "../../src/api/settings.ts";
import { silentLog } from "../../src/base/log.ts";

let directory: string;
const names = ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "SOURCE_DATE_EPOCH", "NODE_EXTRA_CA_CERTS"];
const saved = names.map((name) => [name, process.env[name]] as const);
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), `perigee-settings-${process.pid}-`)));
  for (const name of names.slice(1)) delete process.env[name];
});
afterEach(() => {
  for (const name of ["PERIGEE_TEST", "PERIGEE_EXTRA_CA_CERTS", ...names]) delete process.env[name];
  for (const [name, value] of saved) if (value !== undefined) process.env[name] = value;
  rmSync(directory, { recursive: true, force: true });
});

/** Configuration directories that hold nothing, so that the machine's own are not read. */
const empty = () => ({
  systemConfig: join(directory, "no"),
  localConfig: join(directory, "no"),
  userConfig: join(directory, "no"),
});

describe("loadSettings: directories (CLI-13, CLI-14)", () => {
  it("takes the flags", async () => {
    const { directories } = await loadSettings({
      dir: join(directory, "a/../data"),
      systemConfig: "/s",
      localConfig: "/l",
      userConfig: "/u",
    });
    assert.deepEqual(directories, {
      data: join(directory, "data"),
      systemConfig: "/s",
      localConfig: "/l",
      userConfig: "/u",
    });
  });
  it("resolves symlinks of the data directory", async () => {
    mkdirSync(join(directory, "real"));
    symlinkSync("real", join(directory, "link"));
    assert.equal(
      (await loadSettings({ dir: join(directory, "link"), ...empty() })).directories.data,
      join(directory, "real"),
    );
  });
  it("has defaults", async () => {
    process.env["HOME"] = directory;
    const { directories, caller } = await loadSettings({
      systemConfig: join(directory, "no"),
      localConfig: join(directory, "no"),
    });
    assert.equal(directories.userConfig, join(directory, ".config/perigee"));
    assert.equal(directories.data, caller.isRoot ? "/var/lib/perigee" : join(directory, ".local/share/perigee"));
    assert.equal(caller.uid, process.getuid?.());
  });
  it("follows XDG_CONFIG_HOME and ignores a relative one", async () => {
    process.env["HOME"] = directory;
    process.env["XDG_CONFIG_HOME"] = join(directory, "xdg");
    assert.equal((await loadSettings({ dir: directory })).directories.userConfig, join(directory, "xdg/perigee"));
    process.env["XDG_CONFIG_HOME"] = "xdg";
    assert.equal((await loadSettings({ dir: directory })).directories.userConfig, join(directory, ".config/perigee"));
  });
  for (const [name, flag] of [
    ["dir", "--dir"],
    ["systemConfig", "--system-config"],
    ["localConfig", "--local-config"],
    ["userConfig", "--user-config"],
  ] as const) {
    it(`refuses a relative ${flag}`, async () => {
      await assert.rejects(loadSettings({ [name]: "here" }), { code: "USAGE", message: new RegExp(flag) });
    });
  }
});

describe("parseInsecureOptions (CLI-17)", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["none", []],
    ["image", ["image"]],
    ["TLS,Http", ["tls", "http"]],
    ["all-fetch", ["image", "tls", "http", "pubkey"]],
    ["all-run", ["capabilities", "paths", "seccomp"]],
    ["all", ["image", "tls", "http", "pubkey", "ondisk", "capabilities", "paths", "seccomp", "device-nodes"]],
    ["none,image", ["image"]],
  ];
  for (const [text, expected] of cases) it(text, () => assert.deepEqual([...parseInsecureOptions(text)], expected));
  it("refuses unknown, empty and repeated names", () => {
    for (const text of ["images", "", "image,", "image,Image"]) {
      assert.throws(() => parseInsecureOptions(text), { code: "USAGE" }, text);
    }
  });
});

describe("loadSettings: environment", () => {
  it("reads SOURCE_DATE_EPOCH", async () => {
    process.env["SOURCE_DATE_EPOCH"] = "1700000000";
    assert.equal((await loadSettings({ dir: directory, ...empty() })).sourceDateEpoch, 1700000000);
    process.env["SOURCE_DATE_EPOCH"] = "yesterday";
    await assert.rejects(loadSettings({ dir: directory, ...empty() }), { code: "USAGE", message: /SOURCE_DATE_EPOCH/ });
  });
  it("is a copy", async () => {
    const { environment } = await loadSettings({ dir: directory, ...empty() });
    process.env["PERIGEE_TEST"] = "later";
    assert.equal(environment.has("PERIGEE_TEST"), false);
  });
  it("CLI-16: gives NODE_EXTRA_CA_CERTS its name back, which the launcher took away", () => {
    process.env["PERIGEE_EXTRA_CA_CERTS"] = "/ca.pem";
    const environment = readEnvironment();
    assert.equal(environment.get("NODE_EXTRA_CA_CERTS"), "/ca.pem");
    assert.equal(environment.has("PERIGEE_EXTRA_CA_CERTS"), false);
  });
  it("CLI-16: one HTTP client, and a warning about authorities that cannot be read", async () => {
    process.env["NODE_EXTRA_CA_CERTS"] = join(directory, "missing.pem");
    const warnings: string[] = [];
    const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
    const { http } = await loadSettings({ dir: directory, ...empty(), log });
    assert.equal(await http(), await http());
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /NODE_EXTRA_CA_CERTS names .*missing\.pem/);
  });
});
