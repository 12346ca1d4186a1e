/** Those who are attached to apps of a pod: who may be, what they say, what they see. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { attach, inPod, raw, rawText, showSignal, until, untilLogged } from "../helpers/attached.ts";
import { openLinks } from "../helpers/descriptors.ts";
import { Running } from "../helpers/program.ts";
import { fileScratch, makeApp, makePod, runPod, startPod, valuesOf } from "../helpers/shim-pod.ts";

const scratch = fileScratch();

describe("SHIM-50: where a supervisor lets others be attached", () => {
  it("is a socket in the pod's directory, of its owner alone, from before the pod is ready to its end", async () => {
    await inPod(scratch, ["wait"], {}, async ({ pod, running }) => {
      const status = statSync(join(pod.path, "attach"));
      assert.deepEqual([status.isSocket(), status.mode & 0o777, status.uid], [true, 0o600, 0]);
      running.child.kill("SIGTERM");
      await running.ended;
      assert.equal(existsSync(join(pod.path, "attach")), false);
    });
  });

  it("is not there where the plan does not say so", async () => {
    const pod = await makePod(scratch, { command: ["/guest", "wait"], plan: { foreground: false } });
    const running = await startPod(pod);
    await running.event("ready");
    assert.equal(existsSync(join(pod.path, "attach")), false);
    running.child.kill("SIGTERM");
    await running.ended;
  });

  it("LIFE-105: takes nobody but the pod's owner and root, also where modes would let others in", async () => {
    await inPod(scratch, ["wait"], {}, async (attachable) => {
      const { pod } = attachable;
      const path = join(pod.path, "attach");
      chmodSync(pod.path, 0o755);
      chmodSync(path, 0o666);
      const guestForAll = join(scratch.rootfs, "guest");
      const line = ["--reuid=1234", "--regid=1234", "--clear-groups", guestForAll, "client", path, "amain", "take"];
      const stranger = new Running(spawn("setpriv", line, { stdio: "pipe" }));
      await stranger.ended;
      assert.match(stranger.stdout, /^got=end$/m);
      assert.match(await rawText(attachable, "amain", "take"), /^got=t,%00$/m);
    });
  });

  it("is refused in a plan with `foreground`, and `stdin` where nobody can be attached or with a terminal", async () => {
    const defects = [
      { plan: { attachable: true } },
      { app: { takesInput: true }, plan: { foreground: false } },
      { app: { takesInput: true, terminal: true }, plan: { foreground: false, attachable: true } },
    ];
    for (const defect of defects) {
      const { status, events } = await runPod(scratch, defect);
      assert.deepEqual([status, events[0]?.["step"]], [125, "plan"]);
    }
  });
});

describe("SHIM-51: what a client says", () => {
  const wrong: readonly (readonly [why: string, words: readonly string[]])[] = [
    ["bytes before an app", ["ihello"]],
    ["no name of an app", ["a"]],
    ["a second app", ["amain", "take", "amain"]],
    ["an unknown kind", ["amain", "take", "q"]],
    ["a kind that is the supervisor's", ["amain", "take", "oforged"]],
    ["no bytes", ["amain", "take", "i"]],
    ["more bytes than there may be", ["amain", "take", "long:4098"]],
    ["very many bytes", ["amain", "take", "long:100000"]],
    ["half of a size", ["amain", "take", "s%01%02"]],
    ["a size and more", ["amain", "take", "s%01%02%03%04%05"]],
    ["an end of input with bytes", ["amain", "take", "zz"]],
  ];
  it("ends that client if it is wrong, and does nothing to others and to the app", async () => {
    await inPod(scratch, ["wait"], {}, async (attachable) => {
      const good = attach(attachable);
      await good.attached;
      for (const [why, words] of wrong) {
        const answers = valuesOf(await rawText(attachable, ...words, "take"), "got");
        assert.equal(answers.at(-1), "end", why);
        assert.equal(answers.length, words.includes("take") ? 2 : 1, why);
      }
      showSignal(attachable);
      await good.until(/signal=USR1/);
      good.child.kill("SIGTERM");
    });
  });

  it("an app that the pod has not is refused by a word", async () => {
    await inPod(scratch, ["wait"], {}, async (attachable) => {
      for (const name of ["mai", "maine", "main%00", "%ff"]) {
        assert.deepEqual(
          valuesOf(await rawText(attachable, `a${name}`, "take", "take"), "got"),
          ["r,unknown", "end"],
          name,
        );
      }
    });
  });

  it("descriptors that come along never get to the supervisor, nor do those of 200 who came and went stay (T-L03)", async () => {
    await inPod(scratch, ["cat"], { takesInput: true }, async (attachable) => {
      const count = () => readdirSync(`/proc/${attachable.running.child.pid}/fd`).length;
      const before = count();
      const answers = await rawText(attachable, "amain", "take", "with:ihello", "take");
      assert.deepEqual(valuesOf(answers, "got"), ["t,%02", "o,hello"]);
      for (let cycle = 0; cycle < 20; cycle++) {
        await Promise.all(Array.from({ length: 10 }, () => rawText(attachable, "amain", "take")));
      }
      await until(() => count() <= before);
    });
  });
});

describe("SHIM-52: output", () => {
  it("is what the app writes from then on, of both streams, for all who are attached; the log has all of it", async () => {
    await inPod(scratch, ["echo", "before", ",", "wait"], {}, async (attachable) => {
      const { pod } = attachable;
      const clients = [attach(attachable), attach(attachable), attach(attachable, "--input", "none")];
      for (const client of clients) await client.attached;
      showSignal(attachable);
      for (const client of clients) await client.until(/^signal=USR1\n$/);
      attachable.running.child.kill("SIGTERM");
      for (const client of clients) assert.equal(await client.ended, 40);
      for (const client of clients) assert.equal(client.stdout, "signal=USR1\nsignal=TERM\n");
      assert.match(readFileSync(join(pod.path, "main/log"), "utf8"), /before(.|\n)*USR1(.|\n)*TERM/);
    });
  });

  it("is told apart by its stream, also without a log", async () => {
    const command = ["cat", ",", "echo", "plain", ",", "error", "wrong"];
    await inPod(scratch, command, { takesInput: true }, async (attachable) => {
      const client = attach(attachable, "--input", "end");
      await client.attached;
      client.child.stdin?.end();
      assert.equal(await client.ended, 0);
      assert.deepEqual([client.stdout, client.stderr], ["plain\n", "wrong\n"]);
    });
  });

  it("is of one app of several only", async () => {
    const names = ["main", "other"];
    const apps = names.map((name) =>
      makeApp(scratch, { name, command: ["/guest", "wait"], log: { path: `${name}/log`, bytes: 65536, files: 1 } }),
    );
    const pod = await makePod(scratch, { apps, plan: { foreground: false, attachable: true } });
    const running = await startPod(pod);
    await running.event("ready");
    for (const name of names) await untilLogged(pod, `${name}/log`, "waiting");
    const other = raw({ pod, running }, "aother", "take", "end");
    await other.until(/got=t/);
    running.child.kill("SIGTERM");
    await running.ended;
    await other.ended;
    assert.deepEqual([valuesOf(other.stdout, "output"), valuesOf(other.stdout, "exited")], [["12"], ["40"]]);
  });
});

describe("SHIM-53: who does not read", () => {
  it("keeps the app from nothing, and is told how much is missing", async () => {
    const bytes = 8_000_000;
    await inPod(scratch, ["cat", ",", "print", String(bytes)], { takesInput: true }, async (attachable) => {
      const slow = raw(attachable, "amain", "take", "pause", "end");
      await slow.until(/pausing/);
      const quick = raw(attachable, "amain", "take", "z", "end");
      // The pod ends while nothing has been read.
      assert.equal((await attachable.running.ended).status, 0);
      await quick.ended;
      slow.child.stdin?.write("x");
      await slow.ended;
      for (const { stdout } of [slow, quick]) {
        const [output = 0, lost = 0] = ["output", "lost"].map((key) => Number(valuesOf(stdout, key)[0]));
        assert.equal(output + lost, bytes);
        assert.deepEqual(valuesOf(stdout, "exited"), ["0"]);
      }
      assert.ok(Number(valuesOf(slow.stdout, "output")[0]) < 1_000_000, slow.stdout);
      assert.ok(Number(valuesOf(slow.stdout, "lost")[0]) > 0, slow.stdout);
    });
  });

  it("nor will ever read, is let go", async () => {
    await inPod(scratch, ["cat"], { takesInput: true }, async (attachable) => {
      const { pid } = attachable.running.child;
      const sockets = () => openLinks(pid).filter((link) => link.startsWith("socket:")).length;
      const before = sockets();
      const deaf = raw(attachable, "amain", "take", "deaf", "pause", "end");
      await deaf.until(/pausing/);
      assert.equal(sockets(), before + 1);
      const typist = attach(attachable);
      await typist.attached;
      typist.child.stdin?.write("x\n");
      await until(() => sockets() === before + 1);
      typist.child.kill("SIGTERM");
      deaf.child.stdin?.write("x");
      await Promise.all([typist.ended, deaf.ended]);
    });
  });

  it("gets what comes later, once it has read what waited", async () => {
    const log = { path: "main/log", bytes: 16_000_000, files: 1 };
    await inPod(scratch, ["cat"], { takesInput: true, log }, async (attachable) => {
      const slow = raw(attachable, "amain", "take", "pause", "end");
      await slow.until(/pausing/);
      const typist = attach(attachable);
      await typist.attached;
      typist.child.stdin?.write("a".repeat(4_000_000));
      typist.child.stdin?.write("\nEND\n");
      await until(() => statSync(join(attachable.pod.path, "main/log")).size > 4_000_000);
      slow.child.stdin?.write("x");
      typist.child.kill("SIGTERM");
      await typist.ended;
      assert.match(await rawText(attachable, "amain", "take", "z", "end"), /^exited=0$/m);
      await slow.ended;
      const [output = 0, lost = 0] = ["output", "lost"].map((key) => Number(valuesOf(slow.stdout, key)[0]));
      assert.equal(output + lost, 4_000_005);
    });
  });
});
