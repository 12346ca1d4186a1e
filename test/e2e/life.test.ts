/** A pod from start to end as its user sees it: exit status, streams, signals, the terminal, logs, and the commands about pods. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { endPods, guestImage, guestWork } from "../helpers/guest-work.ts";
import { loggedText } from "../helpers/logs.ts";
import { guest, type ListedPod, tableOf, valuesOf } from "../helpers/program.ts";

const image = guestImage;
const work = guestWork(endPods);

function detach(args: readonly string[]): string {
  const uuid = work.must(["--insecure-options=image", "run", "--detach", ...args]).trim();
  assert.match(uuid, /^[0-9a-f-]{36}$/);
  if (args.includes("wait") || args.includes("stubborn")) work.untilPrinted(uuid, "waiting");
  return uuid;
}

function status(uuid: string, ...options: readonly string[]): ListedPod {
  return JSON.parse(work.must(["status", "--format", "json", ...options, uuid])) as ListedPod;
}

describe("the exit status of run", () => {
  for (const [verb, expected] of [
    [["exit", "0"], 0],
    [["exit", "3"], 3],
    [["exit", "255"], 255],
    [["signal", "9"], 137],
    [["signal", "15"], 143],
    [["signal", "6"], 134],
  ] as const) {
    it(`${verb.join(" ")} → ${expected}, and the record says the same`, () => {
      assert.equal(work.run([image, "--", ...verb]).status, expected);
      assert.equal(work.pods().at(-1)?.apps[0]?.exitStatus, expected);
    });
  }
});

describe("streams", () => {
  it("standard input and output pass 1 MiB byte for byte, and the end of file", () => {
    const bytes = Buffer.from(Uint8Array.from({ length: 1024 * 1024 }, (_, index) => (index * 7 + (index >> 8)) % 256));
    writeFileSync(work.path("bytes"), bytes);
    for (const source of ["cat bytes |", "<bytes"]) {
      const [program, ...args] = work.runLine([image, "--", "cat"]);
      const line = `${source} "$0" "$@" >copied`;
      assert.equal(work.command(["sh", "-c", line, program ?? "", ...args]).status, 0);
      assert.ok(readFileSync(work.path("copied")).equals(bytes), source);
    }
  });

  it("standard error is another stream", () => {
    const { stdout, stderr } = work.run([image, "--", "error", "to stderr", ",", "echo", "to stdout"]);
    assert.deepEqual([stdout, stderr], ["to stdout\n", "to stderr\n"]);
  });

  it("a reader that goes away does not keep the pod alive", () => {
    const [program, ...args] = work.runLine([image, "--", "print", "10000000"]);
    const { status, stdout } = work.command(["sh", "-c", '"$0" "$@" | head -c 10 | wc -c', program ?? "", ...args]);
    assert.deepEqual([status, stdout.trim()], [0, "10"]);
  });

  it("T-R35: logs are kept in the pod, bounded and rotated", () => {
    const { status, stdout } = work.run([image, "--", "print", String(40 * 1024 * 1024)], { encoding: "latin1" });
    assert.deepEqual([status, stdout.length], [0, 40 * 1024 * 1024]);
    const uuid = work.pods().at(-1)?.uuid ?? "";
    const directory = join(work.data, "pods", "run", uuid, "logs");
    const sizes = readdirSync(directory).map((name) => statSync(join(directory, name)).size);
    assert.ok(sizes.length > 1 && sizes.length <= 4, String(sizes));
    assert.ok(Math.max(...sizes) <= 9 * 1024 * 1024, String(sizes));
  });
});

describe("signals", () => {
  it("sent to run reach the app: its handler decides", async () => {
    const running = work.startRun([image, "--", "wait"]);
    await running.until(/waiting/);
    for (const [name, pattern] of [
      ["SIGHUP", /signal=HUP/],
      ["SIGUSR1", /signal=USR1/],
      ["SIGUSR2", /signal=USR2/],
      ["SIGINT", /signal=INT/],
      ["SIGQUIT", /signal=QUIT/],
      ["SIGTERM", /signal=TERM/],
    ] as const) {
      running.child.kill(name);
      await running.until(pattern);
    }
    assert.equal(await running.ended, 40);
  });
});

describe("--interactive", () => {
  it("gives a real terminal of the caller's size, follows its changes, and passes Ctrl-C", async () => {
    const running = work.startRun(["--interactive", image, "--", "tty", ",", "wait"], [guest, "pty", "81", "25"]);
    await running.until(/waiting/);
    assert.deepEqual(
      ["tty.0", "tty.1", "tty.2"].flatMap((key) => valuesOf(running.stdout, key)),
      Array(3).fill("/dev/pts/0"),
    );
    assert.deepEqual(valuesOf(running.stdout, "size"), ["81x25"]);
    assert.deepEqual(valuesOf(running.stdout, "controlling"), ["1"]);
    assert.match(valuesOf(running.stdout, "console")[0] ?? "", /^20000:136$/);
    running.child.kill("SIGUSR1");
    await running.until(/size=101x35/);
    running.child.stdin?.write("\u0003");
    await running.until(/signal=INT/);
    running.child.stdin?.write("\u001c");
    await running.until(/signal=QUIT/);
    running.child.kill("SIGTERM");
    assert.equal(await running.ended, 40);
    assert.match(running.stdout, /modes=same/);
  });

  it("Ctrl-C without a terminal of its own reaches the app, too", async () => {
    const running = work.startRun([image, "--", "wait"], [guest, "pty", "80", "24"]);
    await running.until(/waiting/);
    running.child.stdin?.write("\u0003");
    await running.until(/signal=INT/);
    running.child.kill("SIGTERM");
    assert.equal(await running.ended, 40);
  });
});

describe("a pod in the background", () => {
  it("is listed, waited for, stopped gracefully, removed", () => {
    const uuid = detach([image, "--", "wait"]);
    assert.equal(status(uuid).state, "running");
    assert.equal(status(uuid.slice(0, 4)).uuid, uuid);
    assert.equal(work.perigee(["status", "--wait=50ms", uuid]).status, 1);
    assert.equal(work.perigee(["rm", uuid]).status, 6);
    work.must(["stop", uuid]);
    const ended = status(uuid, "--wait");
    assert.deepEqual([ended.state, ended.apps[0]?.exitStatus], ["exited", 40]);
    work.must(["stop", uuid]);
    work.must(["rm", uuid]);
    assert.equal(work.perigee(["status", uuid]).status, 3);
  });

  it("that does not listen is killed after the time-out, or at once", () => {
    for (const options of [["--timeout", "1s"], ["--force"]]) {
      const uuid = detach([image, "--", "stubborn", "600"]);
      const [stopped] = JSON.parse(work.must(["stop", "--format", "json", ...options, uuid])) as [{ killed: boolean }];
      assert.equal(stopped.killed, true);
      assert.deepEqual([status(uuid).state, status(uuid).apps[0]?.exitStatus], ["exited", 137]);
      work.must(["rm", uuid]);
    }
  });

  it("goes with gc once it ended, not before", () => {
    const uuid = detach([image, "--", "wait"]);
    work.must(["gc", "--grace-period=0s"]);
    assert.equal(status(uuid).state, "running");
    work.must(["stop", uuid]);
    work.must(["gc", "--grace-period=1h"]);
    assert.equal(status(uuid).state, "exited garbage");
    work.must(["gc", "--grace-period=0s"]);
    assert.deepEqual(work.pods(), []);
  });

  it("has no terminal and no input, and its output is in the log alone", () => {
    const uuid = detach([image, "--", "tty", ",", "fds", ",", "cat"]);
    const ended = status(uuid, "--wait=30s");
    assert.equal(ended.apps[0]?.exitStatus, 0);
    const log = loggedText(join(work.data, "pods", "run", uuid, "logs", "guest"));
    assert.deepEqual(valuesOf(log, "tty.0"), ["no"]);
    assert.deepEqual(Object.keys(tableOf(log, "fd")), ["0", "1", "2"]);
    assert.equal(tableOf(log, "fd")["0"], "/dev/null");
  });

  it("a program that cannot be executed is told at once (126, 127), and leaves nothing", () => {
    const before = work.pods().length;
    assert.equal(work.run(["--detach", image, "--exec", "/nowhere"]).status, 127);
    assert.equal(work.run(["--detach", image, "--exec", "/etc/hostname"]).status, 126);
    assert.equal(work.pods().length, before);
  });
});

describe("two apps of one pod", () => {
  const two = (first: readonly string[], second: readonly string[]) =>
    [image, "--name=one", "--", ...first, "---", image, "--name=two", "--", ...second] as const;

  it("share pid, net, ipc, uts and user namespaces, not their mounts", () => {
    const { status, stdout, stderr } = work.run(two(["namespaces"], ["namespaces"]));
    assert.equal(status, 0, stderr);
    const shared = ["pid", "net", "ipc", "uts", "user", "time", "mnt"].filter(
      (kind) => new Set(valuesOf(stdout, `ns.${kind}`)).size === 1,
    );
    assert.deepEqual(shared, ["pid", "net", "ipc", "uts", "user", "time"]);
  });

  it("one that fails ends the pod with its status", async () => {
    const running = work.startRun(two(["cat", ",", "exit", "9"], ["wait"]));
    await running.until(/waiting/);
    running.child.stdin?.end();
    assert.equal(await running.ended, 9);
    const { apps } = work.pods().at(-1) ?? { apps: [] };
    assert.deepEqual(
      apps.map(({ name, exitStatus }) => [name, exitStatus]),
      [
        ["one", 9],
        ["two", 40],
      ],
    );
  });

  it("one that ends well does not", () => {
    const uuid = detach(two(["wait"], ["exit", "0"]));
    assert.equal(status(uuid).state, "running");
    work.must(["stop", uuid]);
    assert.deepEqual(
      status(uuid).apps.map(({ exitStatus }) => exitStatus),
      [40, 0],
    );
  });
});

describe("plan", () => {
  it("makes nothing and starts nothing", () => {
    const before = readdirSync(work.data, { recursive: true }).map(String).sort();
    const words = work.must([
      "--insecure-options=image",
      "plan",
      "--net=host",
      image,
      "--memory=64Mi",
      "--",
      "exit",
      "0",
    ]);
    assert.match(words, /64|67108864/);
    JSON.parse(work.must(["--insecure-options=image", "plan", "--format", "json", image]));
    assert.deepEqual(readdirSync(work.data, { recursive: true }).map(String).sort(), before);
  });
});
