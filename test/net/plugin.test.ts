import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { callPlugin, findPlugin } from "../../src/net/plugin.ts";
import { fails } from "../helpers/failures.ts";
import { untilDead } from "../helpers/processes.ts";
import { RecordingPlugins } from "../helpers/recording-plugin.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function plugin(t: TestContext, behaviour: string) {
  const directory = await temporaryDirectory(t);
  const plugins = new RecordingPlugins(directory);
  plugins.add("rec", behaviour);
  const call = (more: Partial<Parameters<typeof callPlugin>[0]> = {}) =>
    callPlugin({
      program: join(plugins.directory, "rec"),
      command: "ADD",
      environment: { CNI_COMMAND: "ADD", PATH: "/usr/bin:/bin" },
      input: { name: "lan" },
      timeoutMs: 20_000,
      ...more,
    });
  return { directory, plugins, call };
}

describe("callPlugin", () => {
  it("NET-6: hands over the input and the environment that is said, and nothing else", async (t) => {
    const { plugins, call } = await plugin(t, "echo '{}'");
    assert.equal(await call(), "{}\n");
    const [recorded] = plugins.calls();
    const { PWD: _, SHLVL: __, _: ___, OLDPWD: ____, ...environment } = recorded?.environment ?? {};
    assert.deepEqual(environment, { CNI_COMMAND: "ADD", PATH: "/usr/bin:/bin" });
    assert.deepEqual(recorded?.input, { name: "lan" });
  });
  it("NET-4: its own error is told with plugin, command, code and details", async (t) => {
    const { call } = await plugin(
      t,
      `echo '{"cniVersion":"1.0.0","code":7,"msg":"bad subnet","details":"of the range"}'; exit 1`,
    );
    await assert.rejects(
      call(),
      fails("NETWORK_FAILED", /plugin rec failed at ADD: bad subnet/, {
        cause: /code 7 \(the configuration is not valid\); of the range/,
      }),
    );
  });
  it("NET-4: one that says nothing is told by what it wrote on standard error", async (t) => {
    const { call } = await plugin(t, "echo 'panic: \x1b[31mred' >&2; exit 2");
    await assert.rejects(
      call(),
      fails("NETWORK_FAILED", /plugin rec failed at ADD/, { cause: /panic: \\x1b\[31mred/ }),
    );
  });
  it("NET-8: one that hangs is killed with what it started", async (t) => {
    const { directory, call } = await plugin(t, `sleep 300 & echo $! > "$(dirname "$0")/../child"; wait`);
    // In this time it has started something.
    const slow = call({ timeoutMs: 10_000 });
    await assert.rejects(slow, fails("NETWORK_FAILED", /took longer than 10 s and was killed/));
    await untilDead(Number(readFileSync(join(directory, "child"), "utf8")));
  });
  it("NET-8: one that writes without end is killed", async (t) => {
    const { call } = await plugin(t, "exec cat /dev/zero");
    await assert.rejects(call(), fails("NETWORK_FAILED", /wrote more than 1048576 bytes/));
  });
  it("is ended by the caller's signal", async (t) => {
    const { call } = await plugin(t, "sleep 300");
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    await assert.rejects(call({ signal: controller.signal }), fails("INTERRUPTED"));
  });
  it("what is no program is told", async (t) => {
    const { call } = await plugin(t, "");
    await assert.rejects(call({ program: "/etc/passwd" }), fails("NETWORK_FAILED", /cannot be started/));
  });
});

describe("findPlugin (NET-5)", () => {
  it("in the first directory that has it; a relative one has none", async (t) => {
    const { plugins } = await plugin(t, "");
    assert.equal(findPlugin("rec", ["relative", "/nonexistent", plugins.directory]), join(plugins.directory, "rec"));
    assert.throws(
      () => findPlugin("other", [plugins.directory]),
      fails("NOT_FOUND", /no network plugin other/, { hint: /containernetworking-plugins/ }),
    );
  });
});
