/** Odd surroundings: a umask, a limit, a directory that is gone, numbers without sense, readers that do not read, others at work on the same pod. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync } from "node:child_process";
import { closeSync, constants, mkdirSync, openSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { loggedBytes } from "../helpers/logs.ts";
import { type Outcome, program, Running, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const image = "example.com/guest";
before(() => {
  work.stored(image, { exec: ["/guest"] }, { "etc/file": "a file" });
});
after(async () => {
  work.must(["gc", "--grace-period=0s"]);
  assert.deepEqual(work.pods(), []);
  await work.close();
  await assertNothingLeft(clean);
});

/** A command line of the shell around `perigee`, which is "$0" "$@". */
function around(line: string, args: readonly string[]): Outcome {
  return work.command(["sh", "-c", line, program, ...work.globals, "--insecure-options=image", ...args]);
}

function assertTold(outcome: Outcome, code: string, text: RegExp): void {
  assert.match(outcome.stderr, new RegExp(`^error\\[${code}\\]: `, "m"));
  assert.match(outcome.stderr, text);
  assert.match(outcome.stderr, /\n {2}try: /);
  assert.doesNotMatch(outcome.stderr, /\n\s+at .*:\d+:\d+|undefined|uv_cwd.*\n.*uv_cwd/);
}

describe("CLI-60: a umask", () => {
  it("that takes rights from the caller itself does no harm", () => {
    assert.equal(around('umask 777; exec "$0" "$@"', ["run", image, "--", "exit", "3"]).status, 3);
  });
  it("that takes them from others is kept for what is written, and not for what a pod must read", () => {
    const outcome = around('umask 077; exec "$0" "$@"', [
      "run",
      image,
      "--",
      "stat",
      "/etc/hosts",
      "/",
      ",",
      "cat",
      "/etc/hosts",
    ]);
    assert.match(outcome.stdout, /path\.\/etc\/hosts=100644.*\npath\.\/=040755.*\n127\.0\.0\.1/);
    const other = work.path("private.aci");
    const [manifest, rootfs] = [work.path("example.com-guest.json"), work.path("example.com-guest-rootfs")];
    const build = ["build", "--manifest", manifest, "--rootfs", rootfs, other];
    assert.equal(around('umask 077; exec "$0" "$@"', build).status, 0);
    assert.equal(execFileSync("stat", ["-c", "%a", other]).toString(), "600\n");
  });
});

describe("CLI-61: few open files", () => {
  for (const limit of [8, 14, 18, 20, 22, 24, 26, 28, 30]) {
    it(`${limit} are too few, which is said, with a way out`, () => {
      const outcome = around(`ulimit -n ${limit}; exec "$0" "$@"`, ["run", image, "--", "exit", "3"]);
      assert.equal(outcome.status, 125, outcome.stderr);
      assertTold(outcome, "(LIMIT_EXCEEDED|SHIM_FAILED)", /EMFILE[\s\S]*try: ulimit -n/);
    });
  }
  it("64 are enough", () => {
    assert.equal(around('ulimit -n 64; exec "$0" "$@"', ["run", image, "--", "exit", "3"]).status, 3);
  });
});

describe("CLI-62: a current directory that is gone", () => {
  const gone = 'mkdir gone; cd gone; rmdir ../gone; exec "$0" "$@"';
  it("is told when a path is relative to it", () => {
    const outcome = around(gone, ["run", "./x.aci"]);
    assert.equal(outcome.status, 125);
    assertTold(outcome, "NOT_FOUND", /current directory/);
  });
  it("does not matter otherwise", () => {
    assert.equal(around(gone, ["run", image, "--", "exit", "3"]).status, 3);
  });
});

describe("POD-30, POD-31: what cannot be", () => {
  const run = (...args: readonly string[]) => work.run([image, ...args, "--", "exit", "3"]);
  it("more cores and memory than any machine has are no limit", () => {
    assert.equal(run("--cpu", "99999999999999999999").status, 3);
    assert.equal(run("--memory", "99999999999999999999").status, 3);
    assert.equal(run("--memory", "18446744073709551617").status, 3);
  });
  it("too little memory is told with the least, with which a pod starts", () => {
    const outcome = run("--memory", "1");
    assert.equal(outcome.status, 125);
    assertTold(outcome, "USAGE", /--memory 1Mi is the least/);
    assert.equal(run("--memory", "1Mi").status, 3);
  });
  it("a directory on a file of the image is refused before anything starts", () => {
    for (const target of ["/etc/file", "/etc/file/below"]) {
      const outcome = work.run([
        "--volume",
        "v,kind=empty",
        image,
        "--mount",
        `volume=v,target=${target}`,
        "--",
        "exit",
        "3",
      ]);
      assert.equal(outcome.status, 125);
      assertTold(outcome, "MANIFEST_INVALID", /volume v, a directory, .*\n.*the image has a file/);
    }
  });
});

const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once("close", resolve));

/** A pod whose output nobody reads: `command` in the foreground, writing into a pipe that is full soon. */
async function stalled(command: readonly string[]) {
  const pipe = work.path(`pipe-${process.hrtime.bigint()}`);
  execFileSync("mkfifo", [pipe]);
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(pipe, constants.O_WRONLY);
  const known = new Set(work.pods().map(({ uuid }) => uuid));
  const child = work.startCommand(work.runLine([image, "--", ...command]), ["ignore", writer, "pipe"]);
  closeSync(writer);
  for (;;) {
    const pod = work.pods().find(({ uuid, pid }) => !known.has(uuid) && pid !== undefined);
    if (pod !== undefined) return { uuid: pod.uuid, end: ended(child), close: () => closeSync(reader) };
  }
}

describe("LIFE-33: a reader that does not read", () => {
  for (const [words, status] of [
    [["stop", "--timeout=10m"], 143],
    [["stop", "--force"], 137],
  ] as const) {
    it(`keeps nobody from ${words.join(" ")}`, async () => {
      const { uuid, end, close } = await stalled(["print", "100000000"]);
      const start = Date.now();
      work.must([...words, uuid]);
      // Far less than what an app is given to end by itself.
      assert.ok(Date.now() - start < 60_000, "promptly");
      const pod = work.pods().find((one) => one.uuid === uuid);
      assert.deepEqual([pod?.state, pod?.apps[0]?.exitStatus], ["exited", status]);
      work.must(["rm", uuid]);
      close();
      assert.equal(await end, status);
    });
  }
});

describe("LIFE-34: output without room", () => {
  it("is no success, and the log has it", () => {
    const outcome = around('"$0" "$@" >/dev/full', ["run", image, "--", "print", "100000"]);
    assert.equal(outcome.status, 125);
    assertTold(outcome, "IO_FAILED", /ENOSPC/);
    const { uuid } = work.pods().at(-1) ?? { uuid: "" };
    assert.equal(loggedBytes(join(work.data, "pods", "run", uuid, "logs", "guest")).length, 100_000);
  });
  it("nor is one that is closed, unless the app says worse; an app without output loses nothing", () => {
    const outcome = around('"$0" "$@" >&-', ["run", image, "--", "echo", "lost"]);
    assert.equal(outcome.status, 125);
    assertTold(outcome, "IO_FAILED", /EBADF/);
    assert.equal(around('"$0" "$@" >&-', ["run", image, "--", "echo", "lost", ",", "exit", "7"]).status, 7);
    assert.equal(around('"$0" "$@" <&- >&-', ["run", image, "--", "exit", "0"]).status, 0);
  });
});

/** `rm`, which says 6 after two seconds in which somebody else, as slow as the machine, has the pod; then it is to be said again. */
async function removed(uuid: string): Promise<{ readonly status: number; readonly stderr: string }> {
  for (let attempt = 0; ; attempt += 1) {
    const rm = new Running(work.start(["rm", uuid]));
    const status = await rm.ended;
    if (status !== 6 || attempt === 30) return { status, stderr: rm.stderr };
  }
}

describe("LIFE-32: rm right after stop", () => {
  it("succeeds while gc is at work on the same pod", async () => {
    mkdirSync(join(work.data, "pods"), { recursive: true });
    for (let round = 0; round < 12; round += 1) {
      const uuid = work.must(["--insecure-options=image", "run", "--detach", image, "--", "wait"]).trim();
      work.must(["stop", uuid]);
      const gc = work.start(["gc", `--grace-period=${round % 2 === 0 ? "0s" : "1h"}`], "ignore");
      const [collected, { status, stderr }] = await Promise.all([ended(gc), removed(uuid)]);
      // Gone already is what was wanted, too; but then it was said.
      if (status === 3) assert.match(stderr, /NOT_FOUND/);
      else assert.deepEqual([collected, status], [0, 0], stderr);
      for (const phase of ["run", "exited-garbage"]) {
        assert.ok(!readdirSync(join(work.data, "pods", phase)).includes(uuid), phase);
      }
    }
  });
});
