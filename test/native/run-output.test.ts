/** What an app writes: on its way to a reader who is slow, gone or without room, and to a log that is bounded. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, readSync, statSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FileLock } from "../../src/shim/flock.ts";
import { encodePlan } from "../../src/shim/plan.ts";
import { loggedBytes } from "../helpers/logs.ts";
import {
  fileScratch,
  guest,
  makePod,
  type PodDirectory,
  type PodOptions,
  recordedStatus,
  shim,
  startPod,
} from "../helpers/shim-pod.ts";

const scratch = fileScratch();

const log = { path: "logs/main", bytes: 65536, files: 3 };
const logged = (pod: PodDirectory): Buffer => loggedBytes(join(pod.path, "logs/main"));

async function unlocked(pod: PodDirectory, withinMs = 60_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const lock = FileLock.open(pod.path, "shared");
    lock?.release();
    if (lock !== undefined) return;
    assert.ok(Date.now() < deadline, `the pod is locked after ${withinMs} ms`);
    await sleep(10);
  }
}

let pipes = 0;

/** A pipe that nobody reads until `read` is called; `close` takes the reader away. */
function stalledPipe() {
  const path = join(scratch.directory, `pipe-${++pipes}`);
  execFileSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  /** Everything until no writer is left. */
  const readAll = async (): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for (;;) {
      const part = Buffer.alloc(65536);
      try {
        const length = readSync(reader, part);
        if (length === 0) return Buffer.concat(parts);
        parts.push(part.subarray(0, length));
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
        await sleep(1);
      }
    }
  };
  return { writer, readAll, close: () => closeSync(reader) };
}

async function startStalled(options: PodOptions) {
  const pod = await makePod(scratch, options);
  const pipe = stalledPipe();
  const running = await startPod(pod, { stdout: pipe.writer });
  closeSync(pipe.writer);
  return { pod, pipe, running };
}

const isAlive = (pid: number): boolean => !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

describe("a reader that does not read (LIFE-33)", () => {
  it("holds up the app only while it runs; the pod then ends, and the reader gets every byte when it wants", async () => {
    const { pod, pipe, running } = await startStalled({
      command: ["/guest", "print", "100000"],
      app: { log: { ...log, bytes: 1 << 20 } },
    });
    assert.equal((await running.event("exited"))["status"], 0);
    await unlocked(pod);
    assert.equal(await recordedStatus(pod), "0");
    assert.equal(logged(pod).length, 100_000);
    const pid = running.child.pid ?? 0;
    assert.ok(isAlive(pid), "the command waits for its reader");
    const bytes = await pipe.readAll();
    assert.ok(bytes.equals(logged(pod)));
    assert.equal((await running.ended).status, 0);
    pipe.close();
  });

  it("that goes away then ends the command, too", async () => {
    const { pod, pipe, running } = await startStalled({ command: ["/guest", "print", "100000"] });
    await running.event("exited");
    await unlocked(pod);
    pipe.close();
    assert.equal((await running.ended).status, 0);
  });

  it("a signal ends the wait for it", async () => {
    const { pod, pipe, running } = await startStalled({ command: ["/guest", "print", "100000"] });
    await running.event("exited");
    await unlocked(pod);
    running.child.kill("SIGTERM");
    assert.equal((await running.ended).status, 0);
    pipe.close();
  });

  it("lets an app that it holds up be ended, and the pod with it", async () => {
    const { pod, pipe, running } = await startStalled({ command: ["/guest", "print", "10000000"], app: { log } });
    await running.event("ready");
    await sleep(100);
    assert.ok(logged(pod).length <= 65536 + 4096, "back-pressure: nothing is read that cannot be passed on");
    running.child.kill("SIGTERM");
    await unlocked(pod);
    assert.equal(await recordedStatus(pod), "143");
    await pipe.readAll();
    assert.equal((await running.ended).status, 143);
    pipe.close();
  });

  it("is not waited for when the pod was killed", async () => {
    const { pipe, running } = await startStalled({ command: ["/guest", "print", "10000000"] });
    process.kill(Number((await running.event("ready"))["pid"]), "SIGKILL");
    assert.equal((await running.ended).status, 137);
    pipe.close();
  });

  it("that is a stopped terminal holds up nothing else", async () => {
    const pod = await makePod(scratch, { app: { terminal: true }, command: ["/guest", "print", "10000000"] });
    await writeFile(join(pod.path, "plan"), encodePlan(pod.plan));
    const line = `exec 3<plan 4>events 5<.; exec ${shim} run 3 4 5`;
    const child = spawn(guest, ["pty", "80", "25", "/bin/sh", "-c", line], {
      cwd: pod.path,
      stdio: ["pipe", openSync(join(scratch.directory, "held"), constants.O_RDONLY | constants.O_CREAT), "inherit"],
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    try {
      const deadline = Date.now() + 60_000;
      while (!/"ready"/.test(await readFile(join(pod.path, "events"), "utf8").catch(() => ""))) {
        assert.ok(Date.now() < deadline, "the pod does not start");
        await sleep(10);
      }
      // From now on nobody takes anything from the terminal.
      process.kill(child.pid ?? 0, "SIGSTOP");
      const init = Number((await readFile(join(pod.path, "pid"), "utf8")).split(" ")[0]);
      await sleep(200);
      process.kill(init, "SIGTERM");
      await unlocked(pod);
      assert.equal(await recordedStatus(pod), "143");
    } finally {
      process.kill(child.pid ?? 0, "SIGCONT");
      child.kill("SIGTERM");
      await ended;
    }
  });
});

describe("a receiver without room (LIFE-34)", () => {
  const full = (): number => openSync("/dev/full", constants.O_WRONLY);
  const toFull = async (command: readonly string[], ...args: readonly string[]) => {
    const pod = await makePod(scratch, { command, app: { log: { ...log, bytes: 1 << 20 } } });
    const stdout = full();
    const running = await startPod(pod, { stdout, arguments: args });
    closeSync(stdout);
    return { pod, ...(await running.ended) };
  };

  it("is told of, once, and is no success; the log has everything", async () => {
    const { pod, status, stderr } = await toFull(["/guest", "print", "300000"], "--report", "text");
    assert.equal(status, 125);
    assert.match(stderr, /^error\[IO_FAILED\]: .*output.*\n {2}cause: ENOSPC: .*\n {2}try: .*logs.*\n$/);
    assert.equal(logged(pod).length, 300_000);
    assert.equal(await recordedStatus(pod), "0");
  });
  it("leaves an app its own status when that says more", async () => {
    const { status } = await toFull(["/guest", "print", "10", ",", "exit", "7"], "--report", "text");
    assert.equal(status, 7);
  });
  it("is told as JSON where that is asked for", async () => {
    const { status, stderr } = await toFull(["/guest", "print", "10"], "--report", "json");
    assert.equal(status, 125);
    assert.equal(JSON.parse(stderr).error.code, "IO_FAILED");
  });
});

describe("a flood without end and without a line's end (T-R35)", () => {
  it("grows neither the supervisor nor the log beyond their bounds", async () => {
    const pod = await makePod(scratch, { command: ["/guest", "cat", "/dev/zero"], app: { log } });
    const sink = openSync("/dev/null", constants.O_WRONLY);
    const running = await startPod(pod, { stdout: sink });
    closeSync(sink);
    await running.event("ready");
    const resident = (): number =>
      Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${running.child.pid}/status`, "utf8"))?.[1]);
    const passed = (): number =>
      Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${running.child.pid}/io`, "utf8"))?.[1]);
    const logSizes = async (): Promise<readonly number[]> =>
      // A file that is renamed while they are listed may be met twice.
      [...new Set(await readdir(join(pod.path, "logs")))].map(
        (name) => statSync(join(pod.path, "logs", name), { throwIfNoEntry: false })?.size ?? 0,
      );
    const atFirst = resident();
    try {
      // Log and caller each get every byte.
      while (passed() < 512 * 1024 ** 2) {
        assert.ok(resident() < atFirst + 1024, `from ${atFirst} to ${resident()} kB`);
        const sizes = await logSizes();
        assert.ok(sizes.length <= log.files && Math.max(...sizes) <= log.bytes, String(sizes));
        await sleep(20);
      }
    } finally {
      running.child.kill("SIGTERM");
    }
    assert.equal((await running.ended).status, 143);
    assert.equal((await logSizes()).length, log.files);
  });
});

describe("a disk that is full while an app runs (LIFE-35)", () => {
  it("costs the log only: the app goes on, its output arrives and its status is recorded", async () => {
    const disk = join(scratch.directory, "disk");
    execFileSync("mkdir", [disk]);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,mode=755", "perigee-test", disk]);
    try {
      const small = { ...scratch, directory: disk };
      const pod = await makePod(small, { command: ["/guest", "wait", "600", ",", "print", "1000"], app: { log } });
      const running = await startPod(pod);
      await running.output("waiting");
      try {
        execFileSync("dd", ["if=/dev/zero", `of=${join(disk, "filler")}`, "bs=4096"], { stdio: "ignore" });
      } catch {
        // It is full now.
      }
      assert.throws(() =>
        execFileSync("dd", ["if=/dev/zero", `of=${join(disk, "more")}`, "count=9"], { stdio: "pipe" }),
      );
      running.child.kill("SIGUSR1");
      await running.output("signal=USR1");
      running.child.kill("SIGTERM");
      const { status, events } = await running.ended;
      assert.equal(status, 40);
      assert.equal(events.at(-1)?.["event"], "exited");
      assert.equal(await recordedStatus(pod), "40");
    } finally {
      execFileSync("umount", [disk]);
    }
  });
});
