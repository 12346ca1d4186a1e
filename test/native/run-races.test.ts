/**
 * Names that change under the eyes of a pod that starts, or of an archive that is unpacked: a directory and a link swap theirs all the while.
 * Whoever wins each time, nothing happens outside of the root, and nothing stands in for the files of /proc.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { canarySnapshot, makeCanary } from "../helpers/canary.ts";
import { assertNoMountLeft, mountLines } from "../helpers/mounts.ts";
import { printed } from "../helpers/program.ts";
import { type RawEntry, tar } from "../helpers/raw-tar.ts";
import { runShim } from "../helpers/shim.ts";
import { type Ended, guest, makeApp, makeScratch, runPod, type Scratch } from "../helpers/shim-pod.ts";

/** Milliseconds for each race, at least, and how often its step is repeated; and until when there must have been a race. */
const [duration, leastRounds, limit] = [2000, 10, 120_000];

let scratch: Scratch;
let place = "";
let canary = "";
let mountsBefore: readonly string[] = [];
let canaryBefore: readonly string[] = [];
before(async () => {
  scratch = await makeScratch();
  place = join(scratch.directory, "place");
  canary = join(scratch.directory, "canary");
  mkdirSync(canary);
  makeCanary(canary);
  canaryBefore = canarySnapshot(canary);
  mountsBefore = mountLines();
});
after(() => scratch.remove());
beforeEach(() => {
  rmSync(place, { recursive: true, force: true });
  mkdirSync(join(place, "d"), { recursive: true });
});

async function assertUntouched(): Promise<void> {
  assert.deepEqual(canarySnapshot(canary), canaryBefore);
  await assertNoMountLeft(mountsBefore);
}

/** Swaps `d` and `link` of the place while `step` is repeated, until `isMet` as well. How often each happened. */
async function race(
  step: (round: number) => Promise<void> | void,
  isMet = () => true,
): Promise<{ swaps: number; rounds: number }> {
  const racer = spawn(guest, ["swap", join(place, "d"), join(place, "link")], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => racer.once("close", resolve));
  await printed(racer, /swapping/);
  const swapped = printed(racer, /swaps=(\d+)/);
  let rounds = 0;
  try {
    const begun = Date.now();
    const isOver = () => Date.now() - begun > (rounds >= leastRounds && isMet() ? duration : limit);
    for (; !isOver(); rounds += 1) await step(rounds);
  } finally {
    racer.kill("SIGTERM");
  }
  const [, swaps] = await swapped;
  await ended;
  return { swaps: Number(swaps), rounds };
}

/** As many as there can be in that time on a machine with other work, and a race at all. */
function assertRaced({ swaps, rounds }: { readonly swaps: number; readonly rounds: number }): void {
  assert.ok(rounds >= leastRounds && swaps >= 1000, `${rounds} rounds, ${swaps} swaps`);
}

/** Mount points that a pod saw, from the guest's report of its mountinfo. */
const mountPoints = (text: string): readonly string[] =>
  [...text.matchAll(/^mount[.=:]?.*?\d+ \d+ \d+:\d+ \S+ (\S+) /gm)].map((match) => match[1] ?? "");

/** One pod with the place mounted at /v and a directory at `target`, which may lead through the place. */
function podWith(target: string, user: boolean): Promise<Ended> {
  const app = makeApp(scratch);
  const flags = user ? (["idmap"] as const) : [];
  const mounts = [
    ...app.mounts,
    { source: place, target: "/v", type: "bind", flags, data: "" } as const,
    { source: scratch.rootfs, target, type: "bind", flags: ["ro", ...flags], data: "" } as const,
  ];
  return runPod(scratch, { app: { mounts }, user, command: ["/guest", "mounts"] });
}

/** It was mounted inside of the root, once; or refused. */
function assertInside({ status, stdout, events }: Ended, targets: RegExp): void {
  const further = mountPoints(stdout).filter((point) => !/^\/($|proc|sys|dev|v$)/.test(point));
  if (status === 0) assert.ok(further.length === 1 && targets.test(further[0] ?? ""), `${further}\n${stdout}`);
  else assert.deepEqual([status, events[0]?.["event"], events[0]?.["step"]], [125, "failed", "mount-target"]);
}

describe("a target that is swapped for a link out of the root", () => {
  for (const user of [true, false]) {
    it(`T-R10: is mounted on inside, or refused, user namespace ${user}`, async () => {
      symlinkSync(canary, join(place, "link"));
      const outcome = await race(async () => {
        assertInside(await podWith("/v/d", user), /^\/(v\/d|v\/link|.*\/canary)$/);
      });
      assertRaced(outcome);
      await assertUntouched();
    });
  }
  it("T-R10: also when the link climbs by ..", async () => {
    symlinkSync(`../../../../../../../../../..${canary}`, join(place, "link"));
    const outcome = await race(async () => {
      assertInside(await podWith("/v/d", false), /^\/(v\/d|v\/link|.*\/canary)$/);
    });
    assertRaced(outcome);
    await assertUntouched();
  });
  it("T-R16: directories that are missing, eight deep, are made inside", async () => {
    symlinkSync(canary, join(place, "link"));
    const outcome = await race(async (round) => {
      assertInside(await podWith(`/v/d/n${round}/2/3/4/5/6/7/8`, false), /\/n\d+\/2\/3\/4\/5\/6\/7\/8$/);
    });
    assertRaced(outcome);
    await assertUntouched();
  });
});

describe("a target that is swapped for a link into /proc", () => {
  it("T-R14: never stands in for a file there: settings and scores land where they belong", async () => {
    const host = () =>
      ["net/core/somaxconn", "kernel/core_pattern"].map((key) => readFileSync(`/proc/sys/${key}`, "utf8"));
    const before = host();
    symlinkSync("/proc/sys/net", join(place, "link"));
    const app = makeApp(scratch);
    const mounts = [
      ...app.mounts,
      { source: place, target: "/v", type: "bind", flags: [], data: "" } as const,
      { source: scratch.rootfs, target: "/v/d/core", type: "bind", flags: [], data: "" } as const,
    ];
    let started = 0;
    const outcome = await race(
      async () => {
        const { status, stdout, events } = await runPod(scratch, {
          app: { mounts, oomScore: 500 },
          plan: { sysctls: [{ key: "net.core.somaxconn", value: "77" }] },
          user: false,
          command: ["/guest", "cat", "/proc/sys/net/core/somaxconn", ",", "cat", "/proc/self/oom_score_adj"],
        });
        if (status === 0) started += 1;
        if (status === 0) assert.equal(stdout, "77\n500\n");
        else assert.deepEqual([status, events[0]?.["step"]], [125, "mount-target"]);
      },
      () => started > 0,
    );
    assertRaced(outcome);
    assert.ok(started > 0);
    assert.deepEqual(host(), before);
    await assertUntouched();
  });
});

describe("a directory that is swapped for a link while it is unpacked into", () => {
  it("T-R10: nothing is made where the link leads", async () => {
    symlinkSync(canary, join(place, "link"));
    const files = Array.from({ length: 200 }, (_, index): RawEntry => ({ name: `d/${index}`, body: "evil" }));
    // Without an entry of its own the directory, or the link, stays what it is.
    const archive = tar(files);
    let refused = 0;
    const outcome = await race(
      () => {
        const { status, signal } = runShim(["unpack"], place, { input: archive });
        assert.equal(signal, null);
        if (status !== 0) refused += 1;
      },
      () => refused > 0,
    );
    assertRaced(outcome);
    assert.ok(refused > 0, "the swaps were never noticed");
    await assertUntouched();
  });
});

it("T-R14: what is written in the canary would be seen", async () => {
  writeFileSync(join(canary, "new"), "");
  await assert.rejects(assertUntouched);
  rmSync(join(canary, "new"));
});
