/** `logs` as people use it: of pods that run and have ended, followed, piped, on a terminal, and of apps that flood or forge. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, constants, openSync, readdirSync, readFileSync, readSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { endPods, guestWork, guestImage as image } from "../helpers/guest-work.ts";
import { guest, program, Running } from "../helpers/program.ts";

const work = guestWork((done) => endPods(done));

const detach = (...args: readonly string[]): string =>
  work.must(["--insecure-options=image", "run", "--detach", ...args]).trim();
const ended = (uuid: string): unknown => JSON.parse(work.must(["status", "--format", "json", "--wait=60s", uuid]));
/** Something has come through a FIFO that does not wait. */
async function untilReadable(fd: number): Promise<void> {
  for (let tries = 0; tries < 3000; tries++) {
    try {
      if (readSync(fd, Buffer.alloc(1)) > 0) return;
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
    }
    await sleep(10);
  }
  assert.fail("nothing came");
}
const follow = (...args: readonly string[]): Running => new Running(work.start(["logs", "--follow", ...args]));

describe("perigee logs", () => {
  it("LIFE-70: shows what an ended pod printed, byte for byte, and each stream alone", () => {
    const uuid = detach(image, "--", "print", "100000", ",", "error", "problem");
    ended(uuid);
    const all = work.perigee(["logs", uuid], { encoding: "latin1" });
    assert.equal(all.stdout.length, 100_000 + "problem\n".length);
    const out = work.perigee(["logs", "--stream", "stdout", uuid], { encoding: "latin1" });
    const direct = work.run([image, "--", "print", "100000"], { encoding: "latin1" });
    assert.ok(out.stdout === direct.stdout);
    assert.equal(work.must(["logs", "--stream=stderr", uuid]), "problem\n");
    const [line] = work
      .must(["logs", "--stream=stderr", "--format", "json", uuid])
      .trim()
      .split("\n")
      .map((one) => JSON.parse(one));
    assert.deepEqual([line.app, line.stream, line.line], ["guest", "stderr", "problem"]);
  });

  it("LIFE-74: merges several apps by time, each line with its app's name", () => {
    const uuid = detach(
      image,
      "--name=web",
      "--",
      "echo",
      "one",
      "---",
      image,
      "--name=database",
      "--",
      "error",
      "two",
    );
    ended(uuid);
    assert.deepEqual(work.must(["logs", uuid]).trim().split("\n").toSorted(), ["database | two", "web      | one"]);
    const times = work.must(["logs", "--timestamps", uuid]).match(/\d{4}-\S+Z/g) ?? [];
    assert.deepEqual(times, times.toSorted());
    assert.equal(work.must(["logs", "--app", "database", uuid]), "two\n");
  });

  it("LIFE-73: follows from the last lines on, and ends with the pod", async () => {
    const uuid = detach(image, "--", "echo", "first", ",", "wait");
    work.untilPrinted(uuid, "waiting");
    const running = follow("--tail", "1", uuid);
    await running.until(/waiting/);
    work.must(["stop", uuid]);
    assert.equal(await running.ended, 0);
    assert.equal(running.stdout, "waiting\nsignal=TERM\n");
  });

  it("ends quietly with SIGINT, also while its reader does not read, and when that goes away (CLI-10)", async () => {
    const uuid = detach(image, "--", "wait");
    const running = follow(uuid);
    await running.until(/waiting/);
    running.child.kill("SIGINT");
    assert.deepEqual([await running.ended, running.stderr], [0, ""]);
    const flood = detach(image, "--", "print", "3000000", ",", "wait");
    // Nobody reads: the pipe, or socket, fills, and the command waits.
    const fifo = work.path("fifo");
    assert.equal(work.command(["mkfifo", fifo]).status, 0);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(fifo, constants.O_WRONLY);
    for (const stdout of ["pipe", writer] as const) {
      const waiting = work.start(["logs", "--follow", flood], ["ignore", stdout, "ignore"]);
      await (waiting.stdout === null ? untilReadable(reader) : once(waiting.stdout, "readable"));
      await sleep(500);
      const end = new Promise((resolve) => waiting.once("exit", (status) => resolve(status)));
      waiting.kill("SIGINT");
      assert.equal(await end, 0);
    }
    for (const fd of [reader, writer]) closeSync(fd);
    const head = work.command([
      "bash",
      "-c",
      'set -o pipefail; "$0" "$@" | head -c 4; echo " $?"',
      program,
      ...work.globals,
      "logs",
      flood,
    ]);
    assert.match(head.stdout, / 141\n$/);
    assert.equal(head.stderr, "");
  });

  it("CLI-72: on a terminal an app's escapes are shown, not obeyed; elsewhere they are as they were", () => {
    const text = "\u001b[2J\u001b]0;title\u0007\tx";
    const uuid = detach(image, "--", "echo", text);
    ended(uuid);
    assert.equal(work.must(["logs", uuid]), `${text}\n`);
    const { stdout } = work.command([guest, "pty", "80", "25", program, ...work.globals, "logs", uuid]);
    assert.match(stdout, /\\x1b\[2J\\x1b\]0;title\\x07 +x|\\x1b\[2J\\x1b\]0;title\\x07\tx/);
    assert.ok(!stdout.includes("\u001b"));
  });

  it("LIFE-76, T-L03: a flood with thousands of rotations grows neither log nor supervisor, and is followed in little memory", async () => {
    const uuid = detach(image, "--", "cat", "/dev/zero");
    const { directory, pid } = JSON.parse(work.must(["status", "--format", "json", uuid])) as {
      directory: string;
      pid: number;
    };
    assert.ok(pid > 0);
    const supervisor = Number(readFileSync(join(directory, "pid"), "utf8").split(" ")[2]);
    const reader = work.start(["logs", "--follow", uuid]);
    reader.stdout?.resume();
    const statusOf = (which: number, key: string): number =>
      Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${which}/status`, "utf8"))?.[1]);
    const written = () => Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${supervisor}/io`, "utf8"))?.[1]);
    // Some are open, or closed, for an instant while files are renamed; what a rotation leaves open is there at every look.
    const fewest = async (): Promise<number> => {
      let least = Number.POSITIVE_INFINITY;
      for (let look = 0; look < 50; look++) {
        least = Math.min(least, readdirSync(`/proc/${supervisor}/fd`).length);
        await sleep(4);
      }
      return least;
    };
    const before = [statusOf(supervisor, "VmRSS"), await fewest()] as const;
    while (written() < 512 * 1024 ** 2) await sleep(50);
    const after = [statusOf(supervisor, "VmRSS"), await fewest()] as const;
    assert.ok(after[0] < before[0] + 512, `${before} ${after}`);
    assert.ok(after[1] <= before[1] + 1, `${before} ${after}`);
    assert.ok(statusOf(reader.pid ?? 0, "VmRSS") < 200_000);
    const sizes = readdirSync(join(directory, "logs")).map((name) => statSync(join(directory, "logs", name)).size);
    assert.ok(sizes.length <= 4 && Math.max(...sizes) <= 8 * 1024 ** 2, String(sizes));
    const end = new Promise((resolve) => reader.once("exit", (status) => resolve(status)));
    work.must(["stop", "--force", uuid]);
    assert.equal(await end, 0);
  });

  it("SHIM-22: what a killed supervisor leaves is read up to its last whole record", async () => {
    const uuid = detach(image, "--", "cat", "/dev/zero");
    const { directory } = JSON.parse(work.must(["status", "--format", "json", uuid])) as { directory: string };
    const supervisor = Number(readFileSync(join(directory, "pid"), "utf8").split(" ")[2]);
    const running = new Running(work.start(["logs", "--follow", "--tail=0", uuid], ["ignore", "ignore", "pipe"]));
    process.kill(supervisor, "SIGKILL");
    assert.equal(await running.ended, 0);
    writeFileSync(join(directory, "logs", "guest"), "2026-01-31T00:00:00.0000", { flag: "a" });
    assert.equal(work.perigee(["logs", "--format", "json", "--tail=1", uuid]).status, 0);
  });
});
