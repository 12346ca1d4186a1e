import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { readAppProcess } from "../../src/pod/record.ts";
import { setShimPath } from "../../src/shim/binary.ts";
import { type EnterRequest, spawnEnter } from "../../src/shim/enter.ts";
import { type FailedEvent, failureOf } from "../../src/shim/events.ts";
import { encodePlan } from "../../src/shim/plan.ts";
import { makePod, makeScratch, type PodOptions, type Scratch, shim, startPod } from "../helpers/shim-pod.ts";

let scratch: Scratch;
before(async () => {
  setShimPath(shim);
  scratch = await makeScratch();
});
after(() => scratch.remove());

/** A pod of the guest that sleeps while `use` enters it. */
async function inPod(use: (request: EnterRequest) => Promise<void>, options: PodOptions = {}): Promise<void> {
  const pod = await makePod(scratch, { command: ["/guest", "sleep", "600"], ...options });
  const running = await startPod(pod);
  await running.event("ready");
  const process = readAppProcess(pod.path, "main");
  assert.ok(process);
  const { uuid } = pod.plan;
  await use({ plan: join(pod.path, "plan"), uuid, app: "main", process, command: ["/guest", "exit", "0"] });
  running.child.kill("SIGTERM");
  assert.equal((await running.ended).status, 143);
}

/** The shim in place of a process, as the command line has it. */
function report(request: EnterRequest, form: string, command: readonly string[]) {
  const plan = openSync(request.plan, constants.O_RDONLY);
  const { pid, startTime } = request.process;
  const words = ["enter", "3", request.uuid, request.app, String(pid), startTime, "--report", form, "--", ...command];
  const outcome = spawnSync(shim, words, { env: {}, encoding: "latin1", stdio: ["ignore", "pipe", "pipe", plan] });
  closeSync(plan);
  return outcome;
}

describe("spawnEnter", () => {
  for (const user of [true, false]) {
    it(`gives the events, the status, and what the command wrote; user namespace ${user}`, async () => {
      await inPod(
        async (request) => {
          const run = spawnEnter({ ...request, command: ["/guest", "echo", "hello"] }, ["ignore", "pipe", "ignore"]);
          assert.ok(run.stdout);
          assert.equal(await text(run.stdout), "hello\n");
          const kinds = [];
          for await (const event of run.events) kinds.push(event.event);
          assert.deepEqual(kinds, ["app-started", "exited"]);
          assert.equal(await run.exited, 0);
        },
        { user },
      );
    });
  }
  it("hands over all that a command wrote before it ended, though something of it goes on", async () => {
    await inPod(async (request) => {
      const run = spawnEnter({ ...request, command: ["/guest", "orphans", "3"] }, ["ignore", "pipe", "ignore"]);
      assert.equal(await run.exited, 0);
    });
  });
});

describe("the shim's own report", () => {
  it("has the words and the codes of failureOf", async () => {
    await inPod(async (request) => {
      for (const [command, status] of [
        ["/none", 127],
        ["/", 126],
      ] as const) {
        const { status: actual, stderr } = report(request, "json", [command]);
        assert.equal(actual, status);
        const { error } = JSON.parse(stderr) as { error: Readonly<Record<string, string>> };
        const [errno, message] = (error["cause"] ?? "").split(": ");
        const event = { event: "failed", step: "exec", subject: command, errno, message } as FailedEvent;
        const { code, message: words, cause, hint } = failureOf(event, status, "enter");
        assert.deepEqual(error, { code, message: words, cause, hint });
      }
      const other = report({ ...request, app: "other" }, "text", []);
      assert.equal(other.status, 125);
      const lines = [
        "error[SHIM_FAILED]: the app could not be entered: plan other",
        "  cause: not an app of the pod",
        "  try: perigee status shows what of the pod runs",
        "",
      ];
      assert.deepEqual(other.stderr.split("\n"), lines);
    });
  });
});

describe("perigee-shim enter", () => {
  it("refuses lines that are none", () => {
    for (const line of [
      [],
      ["0", "u", "a", "5", "5"],
      ["99", "u", "a", "5", "5"],
      ["3", "u", "a", "1", "5"],
      ["3", "u", "a", "-5", "5"],
      ["3", "u", "a", "5", "5", "--nosuch", "x"],
      ["3", "u", "a", "5", "5", "--report", "xml"],
      ["3", "u", "a", "5", "5", "--events", "77"],
      ["3", "u", "a", "5", "5", "/guest"],
    ]) {
      const stdio = ["ignore", "pipe", "pipe", "ignore"] as const;
      const { status, stderr } = spawnSync(shim, ["enter", ...line], { encoding: "utf8", stdio: [...stdio] });
      assert.equal(status, 2, line.join(" "));
      assert.match(stderr, /^usage: perigee-shim enter PLAN/);
    }
  });
  it("refuses a plan that run would refuse (LIFE-46)", async () => {
    await inPod(async (request) => {
      const bytes = readFileSync(request.plan);
      const damaged = join(scratch.directory, "damaged");
      for (let length = 0; length < bytes.length; length += 97) {
        writeFileSync(damaged, bytes.subarray(0, length));
        const { status, stdout } = report({ ...request, plan: damaged }, "text", ["/guest", "echo", "executed"]);
        assert.deepEqual([status, stdout], [125, ""]);
      }
    });
  });
  it("the caller's other descriptors are not the command's (T-R03)", async () => {
    await inPod(async (request) => {
      const secret = openSync("/etc/hostname", constants.O_RDONLY);
      const plan = openSync(request.plan, constants.O_RDONLY);
      const { pid, startTime } = request.process;
      const words = ["enter", "3", request.uuid, "main", String(pid), startTime, "--", "/guest", "fds"];
      const child = spawn(shim, words, { env: {}, stdio: ["ignore", "pipe", "inherit", plan, secret, secret] });
      assert.ok(child.stdout);
      const shown = await text(child.stdout);
      assert.deepEqual(
        [...shown.matchAll(/^fd\.(\d+)=/gm)].map(([, number]) => number),
        ["0", "1", "2"],
        shown,
      );
      closeSync(secret);
      closeSync(plan);
    });
  });
  it("the pod's plan may have had a terminal and a log: the command has neither", async () => {
    const app = { log: { path: "logs/main", bytes: 65536, files: 2 }, environment: [["TERM", "old"]] as const };
    const pod = await makePod(scratch, { command: ["/guest", "sleep", "600"], app });
    assert.ok(encodePlan(pod.plan).includes("logs/main"));
    const running = await startPod(pod);
    await running.event("ready");
    const process = readAppProcess(pod.path, "main");
    assert.ok(process);
    const request = { plan: join(pod.path, "plan"), uuid: pod.plan.uuid, app: "main", process };
    const { stdout } = report({ ...request, command: [] }, "text", ["/guest", "env", ",", "tty"]);
    assert.match(stdout, /env\.TERM=old\n/);
    assert.match(stdout, /tty\.0=no\n/);
    assert.equal(readFileSync(join(pod.path, "logs", "main"), "utf8"), "");
    running.child.kill("SIGKILL");
    await running.ended;
  });
});
