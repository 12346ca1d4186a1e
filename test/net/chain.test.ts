import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Attachment, add, check, collect, remove, status, versions } from "../../src/net/chain.ts";
import { builtinList, type JsonObject } from "../../src/net/config.ts";
import { fails } from "../helpers/failures.ts";
import { addAnswer, RecordingPlugins } from "../helpers/recording-plugin.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function chain(t: TestContext, document: JsonObject = {}, more: Partial<Attachment> = {}) {
  const plugins = new RecordingPlugins(await temporaryDirectory(t));
  const list = builtinList({
    cniVersion: "1.1.0",
    name: "lan",
    plugins: [
      { type: "first", own: 1 },
      { type: "second", capabilities: { portMappings: true } },
    ],
    ...document,
  });
  const attachment: Attachment = { network: "lan", list, ifName: "eth0", args: [], runtime: {}, ...more };
  const context = {
    containerId: "uuid",
    netns: "/proc/1/ns/net",
    pluginDirectories: [plugins.directory],
    timeoutMs: 20_000,
  };
  return { plugins, attachment, context, list };
}
const said = (plugins: RecordingPlugins) =>
  plugins.calls().map(({ plugin, environment }) => [plugin, environment["CNI_COMMAND"]]);

describe("a chain of plugins (NET-3)", () => {
  it("ADD: in order, each told what the one before it answered; the last answer is the result", async (t) => {
    const { plugins, attachment, context } = await chain(t);
    plugins.add("first", addAnswer("10.0.0.2/24"));
    plugins.add("second", addAnswer("10.0.0.3/24"));
    const result = await add(attachment, context);
    assert.equal(result.addresses[0]?.address, "10.0.0.3/24");
    const [one, two] = plugins.calls();
    assert.deepEqual(one?.input, { type: "first", own: 1, name: "lan", cniVersion: "1.1.0" });
    assert.deepEqual(two?.input["prevResult"], { cniVersion: "1.0.0", ips: [{ address: "10.0.0.2/24" }] });
    const { PWD: _, SHLVL: __, _: ___, OLDPWD: ____, ...environment } = one?.environment ?? {};
    assert.deepEqual(environment, {
      CNI_COMMAND: "ADD",
      CNI_CONTAINERID: "uuid",
      CNI_IFNAME: "eth0",
      CNI_NETNS: "/proc/1/ns/net",
      CNI_PATH: plugins.directory,
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    });
  });
  it("ADD ends with the first that fails", async (t) => {
    const { plugins, attachment, context } = await chain(t);
    plugins.add("first", `echo '{"code":101,"msg":"no"}'; exit 1`);
    plugins.add("second", addAnswer("10.0.0.3/24"));
    await assert.rejects(
      add(attachment, context),
      fails("NETWORK_FAILED", /first failed at ADD: no/, { cause: /code 101/ }),
    );
    assert.deepEqual(said(plugins), [["first", "ADD"]]);
  });
  it("NET-7: only a plugin that has a capability is told what it is for; arguments go to all", async (t) => {
    const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: "tcp", hostIP: "127.0.0.1" }] as const;
    const { plugins, attachment, context } = await chain(
      t,
      {},
      { args: [["IP", "10.0.0.9"]], runtime: { portMappings, mac: "02:00:00:00:00:01" } },
    );
    plugins.add("first", addAnswer("10.0.0.2/24"));
    plugins.add("second", addAnswer("10.0.0.2/24"));
    await add(attachment, context);
    const [one, two] = plugins.calls();
    assert.equal(one?.input["runtimeConfig"], undefined);
    assert.deepEqual(two?.input["runtimeConfig"], { portMappings });
    assert.equal(two?.input["capabilities"], undefined);
    assert.equal(one?.environment["CNI_ARGS"], "IgnoreUnknown=1;IP=10.0.0.9");
  });
  it("DEL: in reverse, all of them though one fails, told the result", async (t) => {
    const { plugins, attachment, context } = await chain(t);
    plugins.add("first", "");
    plugins.add("second", "exit 1");
    await assert.rejects(
      remove(attachment, { ...context, netns: undefined }, { ips: [] }),
      fails("NETWORK_FAILED", /second failed at DEL/),
    );
    assert.deepEqual(said(plugins), [
      ["second", "DEL"],
      ["first", "DEL"],
    ]);
    assert.deepEqual(
      plugins.calls().map(({ input }) => input["prevResult"]),
      [{ ips: [] }, { ips: [] }],
    );
    assert.equal(plugins.calls()[0]?.environment["CNI_NETNS"], undefined);
  });
  it("CHECK: in order, told the result; not before 0.4.0 and not where it is disabled", async (t) => {
    const { plugins, attachment, context } = await chain(t);
    plugins.add("first", "");
    plugins.add("second", `echo '{"code":100,"msg":"the link is gone"}'; exit 1`);
    await assert.rejects(
      check(attachment, context, {}),
      fails("NETWORK_FAILED", /second failed at CHECK: the link is gone/),
    );
    assert.deepEqual(said(plugins), [
      ["first", "CHECK"],
      ["second", "CHECK"],
    ]);
    for (const document of [{ disableCheck: true }, { cniVersion: "0.3.1" }]) {
      const other = await chain(t, document);
      await check(other.attachment, other.context, {});
      assert.deepEqual(said(other.plugins), []);
    }
  });
  it("STATUS and GC of CNI 1.1, without a pod; older lists are not asked", async (t) => {
    const { plugins, list, context } = await chain(t);
    plugins.add("first", "");
    plugins.add("second", "");
    assert.equal(await status(list, context), true);
    const valid = [{ containerID: "uuid", ifname: "eth0" }];
    assert.equal(await collect(list, valid, context), true);
    assert.deepEqual(said(plugins), [
      ["first", "STATUS"],
      ["second", "STATUS"],
      ["first", "GC"],
      ["second", "GC"],
    ]);
    assert.deepEqual(plugins.calls()[2]?.input["cni.dev/valid-attachments"], valid);
    assert.equal(plugins.calls()[2]?.environment["CNI_CONTAINERID"], undefined);
    const older = await chain(t, { cniVersion: "1.0.0" });
    assert.deepEqual(
      [await status(older.list, older.context), await collect(older.list, valid, older.context)],
      [false, false],
    );
    assert.equal(await collect({ ...list, disableGC: true }, valid, context), false);
  });
  it("STATUS of a plugin that is not ready is told", async (t) => {
    const { plugins, list, context } = await chain(t);
    plugins.add("first", `echo '{"code":50,"msg":"no uplink"}'; exit 1`);
    await assert.rejects(
      status(list, context),
      fails("NETWORK_FAILED", /first failed at STATUS: no uplink/, { cause: /not ready/ }),
    );
  });
  it("VERSION: what a plugin speaks", async (t) => {
    const { plugins, context } = await chain(t);
    plugins.add("first", `echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}'`);
    assert.deepEqual(await versions("first", context), ["0.4.0", "1.0.0"]);
  });
  it("NET-5: a plugin that is not there is told before anything is called", async (t) => {
    const { plugins, attachment, context } = await chain(t);
    await assert.rejects(add(attachment, context), fails("NOT_FOUND", /no network plugin first/));
    assert.deepEqual(said(plugins), []);
  });
});
