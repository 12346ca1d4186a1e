/** Attached to apps of pods in the background, as root and as an ordinary user (spec/pod-lifecycle.md LIFE-100 to LIFE-105). */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { until } from "../helpers/attached.ts";
import { endPods } from "../helpers/guest-work.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { UserWorkspace } from "../helpers/ordinary-user.ts";
import { guest, program, Running, Workspace } from "../helpers/program.ts";

const image = "example.com/guest";
const keys = "\u0010\u0011";
const clean = leakSnapshot();
after(() => assertNothingLeft(clean));

for (const who of ["root", "an ordinary user"] as const) {
  describe(`attach as ${who}`, () => {
    const work = who === "root" ? new Workspace() : new UserWorkspace();
    before(() => {
      work.stored(image, { exec: ["/guest"], user: "0", group: "0" });
    });
    after(async () => {
      endPods(work);
      await work.close();
    });

    const detached = (...args: readonly string[]): string => {
      const { status, stdout, stderr } = work.run(["--detach", ...args]);
      assert.equal(status, 0, stderr);
      return stdout.trim();
    };
    const attach = (...args: readonly string[]): Running => new Running(work.start(["attach", ...args]));
    /** On a terminal of 91 columns and 33 rows. */
    const onTerminal = (...args: readonly string[]): Running => {
      const terminal = who === "root" ? guest : join(work.path("checkout"), "native", "build", "guest");
      return new Running(
        work.startCommand([terminal, "pty", "91", "33", program, ...work.globals, "attach", ...args], "pipe"),
      );
    };

    it("LIFE-101: a terminal that is left, found again as it was, and ends with its app", async () => {
      const uuid = detached("--interactive", image, "--", "cat", ",", "tty", ",", "exit", "7");
      const first = onTerminal(uuid);
      first.child.stdin?.write("typed\r");
      // Once by the terminal of the app, once by the app; before that perhaps by ours.
      await first.until(/typed\r\n(.|\n)*typed\r\n/);
      first.child.stdin?.write(keys);
      assert.equal(await first.ended, 0);
      assert.match(first.stdout, /modes=same/);
      assert.match(work.must(["status", uuid]), /state=running/);
      const second = onTerminal("--detach-keys", "ctrl-x", uuid);
      second.child.stdin?.write("again\r");
      await second.until(/again\r\n(.|\n)*again\r\n/);
      second.child.stdin?.write("\u0004");
      assert.equal(await second.ended, 7);
      for (const number of [0, 1, 2]) assert.match(second.stdout, new RegExp(`tty\\.${number}=/dev/pts/0\\r`));
      assert.match(second.stdout, /size=91x33/);
    });

    it("LIFE-101: also of a pod that was prepared", async () => {
      const uuid = work.must(["--insecure-options=image", "prepare", image, "--", "cat", ",", "exit", "3"]).trim();
      work.must(["--insecure-options=image", "run-prepared", "--detach", "--interactive", uuid]);
      const client = onTerminal(uuid);
      client.child.stdin?.write("typed\r");
      await client.until(/typed\r\n(.|\n)*typed\r\n/);
      client.child.stdin?.write("\u0004");
      assert.equal(await client.ended, 3);
    });

    it("LIFE-102: input is piped to an app that waits for it, by one after the other", async () => {
      const uuid = detached(image, "--stdin=stream", "--", "cat", ",", "exit", "5");
      const first = attach(uuid);
      first.child.stdin?.end("one\n");
      await first.until(/^one\n$/);
      first.child.kill("SIGTERM");
      assert.equal(await first.ended, 143);
      const outcome = work.perigee(["attach", "--close-stdin", uuid], { input: "two\n" });
      assert.deepEqual(outcome, { status: 5, stdout: "two\n", stderr: "" });
      assert.equal(work.must(["logs", uuid]), "one\ntwo\n");
    });

    it("LIFE-102: without it input is empty, and what is typed counts for nothing", async () => {
      const uuid = detached(image, "--", "cat", ",", "wait");
      work.untilPrinted(uuid, "waiting");
      const client = attach(uuid);
      client.child.stdin?.end("typed\n");
      const stopped = new Running(work.start(["stop", uuid]));
      assert.equal(await stopped.ended, 0);
      const status = await client.ended;
      // It was attached before the end, or came too late and was told so.
      assert.ok(status === 40 || (status === 125 && /WRONG_STATE|SHIM_FAILED/.test(client.stderr)), client.stderr);
      assert.doesNotMatch(client.stdout, /typed/);
    });

    it("LIFE-103: what takes nobody says so, with the way out", async () => {
      const ended = detached(image, "--", "echo", "last words", ",", "exit", "6");
      work.perigee(["status", "--wait", ended]);
      const late = work.perigee(["attach", ended]);
      assert.equal(late.status, 125);
      assert.match(late.stderr, new RegExp(`^error\\[WRONG_STATE\\]: .*exited\n.*perigee logs ${ended}`, "m"));
      const two = detached(image, "--name=one", "--", "exit", "0", "---", image, "--name=two", "--", "sleep", "600");
      assert.match(work.perigee(["attach", two]).stderr, /which app is meant\?\n.*one, two/);
      await until(() => /^app-one=0$/m.test(work.perigee(["status", two]).stdout));
      const inTwo = work.perigee(["attach", "--app=one", two]);
      assert.match(inTwo.stderr, /has ended\n {2}cause: its exit status is 0\n {2}try: perigee logs --app one/);
      const foreground = work.startRun(["--pod-name=front", image, "--", "wait"]);
      await foreground.until(/waiting/);
      const refused = work.perigee(["attach", "front"]);
      assert.equal(refused.status, 125);
      assert.match(refused.stderr, /started in the foreground\n {2}try: perigee logs --follow/);
      work.must(["stop", "front"]);
      await foreground.ended;
    });
  });
}
