import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { setShimPath } from "../../src/shim/binary.ts";
import { type FailedEvent, failureOf } from "../../src/shim/events.ts";
import { flock } from "../../src/shim/libc.ts";
import { encodePlan } from "../../src/shim/plan.ts";
import { type RunOptions, spawnRun } from "../../src/shim/run.ts";
import { isAlive, untilDead } from "../helpers/processes.ts";
import { makePod, makeScratch, type PodOptions, repository, type Scratch, shim } from "../helpers/shim-pod.ts";

let scratch: Scratch;
before(async () => {
  setShimPath(shim);
  scratch = await makeScratch();
});
after(() => scratch.remove());

/** A pod as stage0 leaves it: planned and locked. */
async function prepared(options: PodOptions): Promise<RunOptions & { release(): void }> {
  const { path, plan } = await makePod(scratch, options);
  await writeFile(join(path, "plan"), encodePlan(plan));
  const lock = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  assert.equal(flock(lock, "exclusive", false), true);
  return { directory: path, lock, plan: join(path, "plan"), release: () => closeSync(lock) };
}

describe("spawnRun", () => {
  it("gives the events, the status, and what the app wrote", async () => {
    const pod = await prepared({ command: ["/guest", "echo", "hello"] });
    const run = spawnRun({ ...pod, stdio: ["ignore", "pipe", "pipe"] });
    pod.release();
    let text = "";
    run.stdout?.on("data", (bytes: Buffer) => {
      text += bytes.toString();
    });
    const kinds = [];
    for await (const event of run.events) kinds.push(event.event);
    assert.deepEqual(kinds, ["app-started", "ready", "app-exited", "exited"]);
    assert.equal(await run.exited, 0);
    assert.equal(text, "hello\n");
  });
  it("leaves the lock with the shim when the caller lets go of it", async () => {
    const pod = await prepared({ command: ["/guest", "wait"] });
    const run = spawnRun({ ...pod, stdio: ["ignore", "ignore", "ignore"] });
    pod.release();
    for await (const event of run.events) {
      if (event.event === "ready") {
        const again = openSync(pod.directory, constants.O_RDONLY | constants.O_DIRECTORY);
        assert.equal(flock(again, "exclusive", false), false);
        closeSync(again);
        assert.equal(run.signal(9), true);
      }
    }
    assert.equal(await run.exited, 137);
  });
  it("passes signals on to the app", async () => {
    const pod = await prepared({ command: ["/guest", "sleep", "600"] });
    const run = spawnRun(pod);
    pod.release();
    for await (const event of run.events) if (event.event === "ready") run.signal(15);
    assert.equal(await run.exited, 143);
  });
  it("gives nothing of this process's environment or descriptors to anybody", async () => {
    process.env["PERIGEE_TEST_SECRET"] = "1";
    const pod = await prepared({ command: ["/guest", "wait"] });
    const run = spawnRun(pod);
    pod.release();
    for await (const event of run.events) {
      if (event.event !== "ready") continue;
      assert.equal(await readFile(`/proc/${run.pid}/environ`, "latin1"), "");
      run.signal(15);
    }
    delete process.env["PERIGEE_TEST_SECRET"];
    await run.exited;
  });
  it("tells of a program that is not there as a Failure with step, subject and errno", async () => {
    const pod = await prepared({ command: ["/missing"] });
    const run = spawnRun(pod);
    pod.release();
    const failed: FailedEvent[] = [];
    for await (const event of run.events) if (event.event === "failed") failed.push(event);
    const [event] = failed;
    assert.ok(event);
    const failure = failureOf(event, await run.exited);
    assert.deepEqual(
      [failure.code, failure.subject, failure.cause],
      ["EXEC_NOT_FOUND", "/missing", "ENOENT: No such file or directory"],
    );
  });
});

describe("replaceWithRun", () => {
  /** Runs it in a process of its own, since it does not return. */
  const replace = async (
    options: PodOptions,
    report: "text" | "json" = "text",
  ): Promise<ReturnType<typeof spawnSync> & { readonly events: string }> => {
    const { path, plan } = await makePod(scratch, options);
    await writeFile(join(path, "plan"), encodePlan(plan));
    const script = join(path, "stage0.mjs");
    await writeFile(
      script,
      `import { closeSync, constants, existsSync, openSync, readFileSync } from "node:fs";
      const { replaceWithRun } = await import(${JSON.stringify(join(repository, "build/src/shim/run.js"))});
      const { setShimPath } = await import(${JSON.stringify(join(repository, "build/src/shim/binary.js"))});
      const { flock } = await import(${JSON.stringify(join(repository, "build/src/shim/libc.js"))});
      setShimPath(${JSON.stringify(shim)});
      const directory = ${JSON.stringify(path)};
      const lock = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
      flock(lock, "exclusive", false);
      replaceWithRun({ directory, lock, plan: directory + "/plan", events: directory + "/events", report: ${JSON.stringify(report)} });`,
    );
    const result = spawnSync(process.execPath, [script], { input: "typed", env: { SECRET: "1" } });
    return { ...result, events: await readFile(join(path, "events"), "utf8") };
  };
  it("becomes the shim: its status, its output, its input, and events in a file", async () => {
    const { status, stdout, events } = await replace({ command: ["/guest", "cat"] });
    assert.equal(status, 0);
    assert.equal(stdout.toString(), "typed");
    assert.match(events, /"ready".*\n.*"app-exited"/);
  });
  it("the shim tells of a failure in the words that failureOf has (the two tables are one)", async () => {
    for (const [command, cwd] of [
      ["/missing", "/"],
      ["/proc", "/"],
      ["/guest", "/missing"],
    ] as const) {
      const { status, stderr, events } = await replace({ command: [command], app: { cwd } }, "json");
      const event: FailedEvent = JSON.parse(events.split("\n")[0] ?? "");
      const { code, message, cause, hint } = failureOf(event, status ?? 0);
      assert.deepEqual(JSON.parse(stderr.toString()), { error: { code, message, cause, hint } });
    }
  });
});

describe("withCaller", () => {
  it("the pod is killed when the process that started it is; without, it goes on", async () => {
    for (const withCaller of [true, false]) {
      const { path, plan } = await makePod(scratch, { command: ["/guest", "sleep", "600"] });
      await writeFile(join(path, "plan"), encodePlan(plan));
      const script = join(path, "stage0.mjs");
      await writeFile(
        script,
        `import { constants, openSync } from "node:fs";
        const { spawnRun } = await import(${JSON.stringify(join(repository, "build/src/shim/run.js"))});
        const { setShimPath } = await import(${JSON.stringify(join(repository, "build/src/shim/binary.js"))});
        const { flock } = await import(${JSON.stringify(join(repository, "build/src/shim/libc.js"))});
        setShimPath(${JSON.stringify(shim)});
        const directory = ${JSON.stringify(path)};
        const lock = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
        flock(lock, "exclusive", false);
        const run = spawnRun({ directory, lock, plan: directory + "/plan", withCaller: ${withCaller} });
        for await (const { event, pid } of run.events) if (event === "ready") break;
        console.log(run.pid);
        process.kill(process.pid, "SIGKILL");`,
      );
      const { signal, stdout } = spawnSync(process.execPath, [script], { encoding: "utf8" });
      assert.equal(signal, "SIGKILL");
      const supervisor = Number(stdout);
      const init = Number((await readFile(join(path, "pid"), "utf8")).split(" ")[0]);
      if (withCaller) await untilDead(supervisor, init);
      else {
        await sleep(500);
        assert.deepEqual([supervisor, init].map(isAlive), [true, true]);
        process.kill(supervisor, "SIGKILL");
      }
    }
  });
});
