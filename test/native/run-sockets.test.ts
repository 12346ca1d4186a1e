import assert from "node:assert/strict";
import { openSync, readlinkSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { describe, it } from "node:test";
import type { AppPlan } from "../../src/shim/plan.ts";
import { openLinks } from "../helpers/descriptors.ts";
import { fileScratch, makeApp, makePod, runPod, startPod, valuesOf } from "../helpers/shim-pod.ts";

const scratch = fileScratch();

/** A server that listens, whose descriptor is handed on. */
async function listening(): Promise<{ readonly server: Server; readonly port: number; readonly fd: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle;
  return { server, port: address !== null && typeof address !== "string" ? address.port : 0, fd };
}

const app = (name: string, command: readonly string[], options: Partial<AppPlan> = {}) =>
  makeApp(scratch, { name, command: ["/guest", ...command], ...options });
const sockets = (...names: readonly string[]) => names.map((name, index) => ({ name, index }));

describe("SHIM-33: sockets of the caller", () => {
  it("are 3 and what follows of their app, which knows them; handlers and other apps have none", async () => {
    const [one, two] = [await listening(), await listening()];
    const apps = [
      app("web", ["fds", ",", "env", ",", "greet", "3", ",", "greet", "4"], {
        sockets: sockets("http", "https"),
        preStart: ["/guest", "error", "handler", ",", "fds", ",", "env"],
      }),
      app("log", ["list", "/proc/self/fd"]),
    ];
    const pod = await makePod(scratch, { apps });
    const running = await startPod(pod, { extra: [one.fd, two.fd], arguments: ["--sockets", "6", "2"] });
    await running.event("ready");
    const inode = readlinkSync(`/proc/self/fd/${one.fd}`);
    // The shim has its own by now; this process must not take what is meant for the app.
    for (const { server } of [one, two]) server.close();
    const held = openLinks(running.child.pid);
    assert.ok(held.length > 0 && !held.includes(inode), "the supervisor keeps none");
    for (const { port } of [one, two]) {
      const said = new Promise<string>((resolve, reject) => {
        connect(port, "127.0.0.1")
          .once("data", (bytes) => resolve(String(bytes)))
          .once("error", reject);
      });
      assert.equal(await said, "hello");
    }
    const { stdout, status } = await running.ended;
    assert.equal(status, 0);
    assert.deepEqual(valuesOf(stdout, "env.LISTEN_FDS"), ["2"], "of the program alone");
    assert.deepEqual(valuesOf(stdout, "env.LISTEN_FDNAMES"), ["http:https"]);
    assert.deepEqual(valuesOf(stdout, "listen.own"), ["1", "1"]);
    assert.deepEqual(valuesOf(stdout, "greet"), ["ok", "ok"]);
    assert.deepEqual(valuesOf(stdout, "list./proc/self/fd").toSorted(), ["0", "1", "2", "3"], "3 is the look itself");
  });

  it("without handlers, in a pod of one app, in whatever order", async () => {
    const [one, two] = [await listening(), await listening()];
    const web = app("web", ["greet", "3"], { sockets: sockets("a", "b").toReversed() });
    const pod = await makePod(scratch, { apps: [web] });
    const running = await startPod(pod, { extra: [one.fd, two.fd], arguments: ["--sockets", "6", "2"] });
    await running.event("ready");
    for (const { server } of [one, two]) server.close();
    await new Promise((resolve) => connect(two.port, "127.0.0.1").once("data", resolve));
    assert.deepEqual(valuesOf((await running.ended).stdout, "greet"), ["ok"]);
  });

  for (const keepRoot of [false, true]) {
    it(`are there again for an app that is started again, keepRoot ${keepRoot}, and closed after its last run`, async () => {
      const { server, port, fd } = await listening();
      const restart = { policy: "on-failure", most: 1, keepRoot } as const;
      const web = app("web", ["greet", "3", ",", "env", ",", "exit", "1"], { sockets: sockets("http"), restart });
      const running = await startPod(await makePod(scratch, { apps: [web] }), {
        extra: [fd],
        arguments: ["--sockets", "6", "1"],
      });
      await running.event("ready");
      server.close();
      for (let run = 0; run < 2; run++) {
        await new Promise((resolve, reject) => connect(port, "127.0.0.1").once("data", resolve).once("error", reject));
      }
      const { stdout, status } = await running.ended;
      assert.equal(status, 1);
      assert.deepEqual(valuesOf(stdout, "greet"), ["ok", "ok"]);
      assert.deepEqual(valuesOf(stdout, "env.LISTEN_FDNAMES"), ["http", "http"]);
      assert.equal(valuesOf(stdout, "env.LISTEN_PID").length, 2);
    });
  }
});

describe("SHIM-34: sockets that are none", () => {
  it("an index that was not handed over, twice, or no socket", async () => {
    const { server, fd } = await listening();
    const file = openSync("/dev/null", "r");
    const cases = [
      { sockets: sockets("a"), extra: [], line: [] },
      { sockets: [{ name: "a", index: 1 }], extra: [fd], line: ["--sockets", "6", "1"] },
      { sockets: [sockets("a"), sockets("b")].flat(), extra: [fd], line: ["--sockets", "6", "1"] },
      { sockets: sockets("a"), extra: [file], line: ["--sockets", "6", "1"] },
    ];
    for (const { sockets: records, extra, line } of cases) {
      const apps = [app("web", ["exit", "0"], { sockets: records })];
      const { status, events } = await runPod(scratch, { apps, extra, arguments: line });
      assert.deepEqual([status, events[0]?.["step"]], [125, "sockets"], JSON.stringify(records));
    }
    server.close();
  });

  it("numbers that are not open are a usage error", async () => {
    for (const line of [
      ["6", "1"],
      ["6", "0"],
      ["6", "x"],
      ["2", "1"],
    ]) {
      assert.equal((await runPod(scratch, { arguments: ["--sockets", ...line] })).status, 2);
    }
  });
});
