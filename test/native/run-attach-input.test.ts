/** Those who are attached to apps of a pod: what they type, terminals, the end, and the shim's own client. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  type Attachable,
  attach,
  inPod,
  isRaw,
  onTerminal,
  raw,
  rawText,
  showSignal,
  until,
} from "../helpers/attached.ts";
import { Running } from "../helpers/program.ts";
import { fileScratch, makeApp, makePod, shim, startPod, valuesOf } from "../helpers/shim-pod.ts";

const scratch = fileScratch();

describe("SHIM-54: standard input", () => {
  it("is a pipe that stays open when whoever wrote to it leaves, and ends when one says so", async () => {
    await inPod(scratch, ["cat"], { takesInput: true }, async (attachable) => {
      for (const word of ["first", "second"]) {
        const client = attach(attachable);
        await client.attached;
        client.child.stdin?.end(`${word}\n`);
        await client.until(new RegExp(word));
        client.child.kill("SIGTERM");
        assert.equal(await client.ended, 143);
      }
      const last = attach(attachable, "--input", "end");
      await last.attached;
      last.child.stdin?.end("third\n");
      assert.equal(await last.ended, 0);
      assert.equal(last.stdout, "third\n");
    });
  });

  it("that the app does not take keeps whoever sends it waiting, and nobody else", async () => {
    await inPod(scratch, ["wait"], { takesInput: true }, async (attachable) => {
      const sender = attach(attachable);
      await sender.attached;
      sender.child.stdin?.on("error", () => {});
      sender.child.stdin?.write("x".repeat(4_000_000));
      // Not attached to an input that is taken, it sees what comes all the same.
      const other = attach(attachable, "--input", "none");
      await other.attached;
      showSignal(attachable);
      await other.until(/signal=USR1/);
      await sender.until(/signal=USR1/);
      sender.child.kill("SIGTERM");
      assert.equal(await sender.ended, 143);
      attachable.running.child.kill("SIGTERM");
      assert.equal(await other.ended, 40);
    });
  });

  it("of an app without it is the null device; what is typed counts for nothing", async () => {
    await inPod(scratch, ["cat", ",", "wait"], {}, async (attachable) => {
      assert.deepEqual(valuesOf(await rawText(attachable, "amain", "take", "ihello", "z"), "got"), ["t,%00"]);
      const client = attach(attachable);
      await client.attached;
      showSignal(attachable);
      await client.until(/signal=USR1/);
      client.child.kill("SIGTERM");
      await client.ended;
    });
  });
});

describe("SHIM-55: a terminal", () => {
  it("has the size of whoever is attached, also after a change, and whoever is new has it drawn again", async () => {
    await inPod(scratch, ["wait"], { terminal: true }, async (attachable) => {
      const client = onTerminal(attachable, "--keys", "1011");
      await client.until(/size=91x33/);
      client.child.kill("SIGUSR1");
      await client.until(/size=111x43/);
      client.child.stdin?.write("\u0010\u0011");
      assert.equal(await client.ended, 0);
      assert.match(client.stdout, /modes=same/);
      const again = onTerminal(attachable, "--keys", "1011");
      await again.until(/size=91x33/);
      again.child.stdin?.write("\u0010\u0011");
      assert.equal(await again.ended, 0);
      const same = onTerminal(attachable, "--keys", "1011");
      await same.until(/size=91x33/);
      attachable.running.child.kill("SIGTERM");
      assert.equal(await same.ended, 40);
      assert.match(same.stdout, /modes=same/);
    });
  });

  it("gets what is typed, but the keys; ^C is the app's", async () => {
    await inPod(scratch, ["cat"], { terminal: true }, async (attachable) => {
      const client = onTerminal(attachable, "--keys", "1018");
      await isRaw(client);
      client.child.stdin?.write("a\u0010b\u0010\u0010c\r");
      await client.until(/a\u0010b\u0010\u0010c/);
      client.child.stdin?.write("\u0010\u0010\u0018");
      assert.equal(await client.ended, 0);
      const without = onTerminal(attachable);
      await isRaw(without);
      without.child.stdin?.write("\u0010\u0018\r");
      await without.until(/\u0010\u0018/);
      without.child.stdin?.write("\u0003");
      assert.equal(await without.ended, 130);
    });
  });

  it("ends with ^D when the input that is sent does, if that is asked for", async () => {
    await inPod(scratch, ["cat"], { terminal: true }, async (attachable) => {
      const client = attach(attachable, "--input", "end");
      await client.attached;
      client.child.stdin?.end("typed\n");
      assert.equal(await client.ended, 0);
      assert.match(client.stdout, /typed\r\ntyped\r\n/);
    });
  });
});

describe("SHIM-56: the end", () => {
  it("of the app is told behind the last that it wrote", async () => {
    await inPod(
      scratch,
      ["cat", ",", "print", "60000", ",", "signal", "9"],
      { takesInput: true },
      async (attachable) => {
        const text = await rawText(attachable, "amain", "take", "z", "end");
        assert.deepEqual([valuesOf(text, "output"), valuesOf(text, "exited")], [["60000"], ["137"]]);
      },
    );
  });

  it("of a run that another follows is none", async () => {
    const app = { takesInput: true, restart: { policy: "always", most: 1, keepRoot: true } } as const;
    await inPod(scratch, ["cat", ",", "echo", "once"], app, async (attachable) => {
      const text = await rawText(attachable, "amain", "take", "z", "end");
      assert.deepEqual([valuesOf(text, "output"), valuesOf(text, "exited")], [["10"], ["0"]]);
    });
  });

  it("of a pod that is killed is its apps', and of a killed supervisor a failure", async () => {
    await inPod(scratch, ["wait"], {}, async (attachable) => {
      const client = attach(attachable);
      await client.attached;
      process.kill(Number(readFileSync(join(attachable.pod.path, "pid"), "utf8").split(" ")[0]), "SIGKILL");
      assert.equal(await client.ended, 137);
    });
    await inPod(scratch, ["wait"], {}, async (attachable) => {
      const client = attach(attachable, "--report", "text");
      await client.attached;
      attachable.running.child.kill("SIGKILL");
      assert.equal(await client.ended, 125);
      assert.match(client.stderr, /^error\[SHIM_FAILED\]: .*\n {2}cause: the pod has ended, and how/);
    });
  });

  it("of an app whose pod goes on is told at once to whoever comes too late", async () => {
    const apps = [
      makeApp(scratch, { name: "main", command: ["/guest", "exit", "0"] }),
      makeApp(scratch, { name: "other", command: ["/guest", "wait"] }),
    ];
    const pod = await makePod(scratch, { apps, plan: { foreground: false, attachable: true } });
    const running = await startPod(pod);
    await until(() => existsSync(join(pod.path, "status", "main")));
    const text = await rawText({ pod, running }, "amain", "take", "end");
    assert.deepEqual([valuesOf(text, "got"), valuesOf(text, "exited")], [["t,%00"], ["0"]]);
    running.child.kill("SIGTERM");
    await running.ended;
  });
});

describe("SHIM-57: sixteen at once", () => {
  it("and no more, but whoever is not attached yet goes for one who comes", async () => {
    await inPod(scratch, ["wait"], {}, async (attachable) => {
      const silent = raw(attachable, "pause", "take");
      await silent.until(/pausing/);
      const many = Array.from({ length: 15 }, () => raw(attachable, "amain", "take", "pause", "end"));
      for (const client of many) await client.until(/pausing/);
      const last = raw(attachable, "amain", "take", "pause", "end");
      await last.until(/pausing/);
      silent.child.stdin?.write("x");
      await silent.ended;
      assert.deepEqual(valuesOf(silent.stdout, "got"), ["end"]);
      assert.deepEqual(valuesOf(await rawText(attachable, "amain", "take", "take"), "got"), ["r,busy", "end"]);
      const refused = attach(attachable, "--report", "text");
      assert.equal(await refused.ended, 125);
      assert.match(refused.stderr, /too many are attached already/);
      attachable.running.child.kill("SIGTERM");
      await attachable.running.ended;
      for (const client of [...many, last]) {
        client.child.stdin?.write("x");
        await client.ended;
        assert.deepEqual(valuesOf(client.stdout, "exited"), ["40"]);
      }
    });
  });
});

describe("SHIM-58: the shim's own client", () => {
  it("ends by a signal without one for the app, and with 141 when its reader has gone", async () => {
    await inPod(scratch, ["wait"], {}, async (attachable) => {
      for (const [signal, status] of [
        ["SIGTERM", 143],
        ["SIGINT", 130],
        ["SIGHUP", 129],
        ["SIGQUIT", 131],
      ] as const) {
        const client = attach(attachable);
        await client.attached;
        client.child.kill(signal);
        assert.equal(await client.ended, status);
      }
      const unread = attach(attachable);
      await unread.attached;
      const closed = new Promise((resolve) => unread.child.stdout?.once("close", resolve));
      unread.child.stdout?.destroy();
      await closed;
      showSignal(attachable);
      assert.equal(await unread.ended, 141);
      const last = attach(attachable);
      await last.attached;
      attachable.running.child.kill("SIGTERM");
      assert.equal(await last.ended, 40);
      assert.equal(last.stdout, "signal=TERM\n");
    });
  });

  it("says what is missing when nobody listens", async () => {
    const pod = await makePod(scratch);
    const client = attach({ pod } as Attachable, "--report", "json");
    assert.equal(await client.ended, 125);
    assert.match(client.stderr, /^{"error":{ *"code":"SHIM_FAILED".*ENOENT: the pod takes nobody/);
  });

  it("is used as its usage says, or not at all", async () => {
    const lines = [
      [],
      ["3"],
      ["3", "main", "--keys"],
      ["3", "main", "--keys", "1"],
      ["3", "main", "--keys", "zz"],
      ["3", "main", "--keys", "00".repeat(17)],
      ["3", "main", "--input", "maybe"],
      ["3", "main", "--report", "xml"],
      ["3", "main", "--other", "keep"],
      ["0", "main"],
      ["3", ""],
    ];
    for (const words of lines) {
      const child = spawn(shim, ["attach", ...words], { stdio: ["ignore", "pipe", "pipe", "ignore"] });
      const running = new Running(child);
      assert.equal(await running.ended, 2, words.join(" "));
      assert.match(running.stderr, /^usage: perigee-shim attach/);
    }
  });
});
