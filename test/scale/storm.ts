/** T-K06: commands about pods that are killed at random instants, and processes of pods that are; every few of them the invariants are looked at. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, type ProcessIdentity, readInit, readSupervisor } from "../../src/pod/record.ts";
import { guestImage } from "../helpers/guest-work.ts";
import { Running, type Workspace } from "../helpers/program.ts";
import { Random } from "../helpers/random.ts";
import { endAll } from "./rounds.ts";

export interface StormOptions {
  readonly kills: number;
  /** Kills between two looks at the invariants. */
  readonly every: number;
  readonly seed: number;
}

/** @throws AssertionError that names the seed, when an invariant does not hold */
export async function storm(work: Workspace, { kills, every, seed }: StormOptions): Promise<void> {
  const random = new Random(seed);
  for (let kill = 0; kill < kills; kill += 1) {
    await strike(work, random);
    if ((kill + 1) % every !== 0 && kill + 1 < kills) continue;
    try {
      await assertInvariants(work);
    } catch (error) {
      throw new Error(`PERIGEE_SEED=${seed}, after ${kill + 1} kills`, { cause: error });
    }
  }
}

/** One command, killed at an instant of its life or after it; or a process of a pod that runs. */
async function strike(work: Workspace, random: Random): Promise<void> {
  const pods = work.pods();
  const uuid = pods.length === 0 ? "0000" : random.pick(pods).uuid;
  if (pods.length > 0 && random.once(4)) return killProcess(work, random, uuid);
  const lines = [
    ["run", guestImage, "--", "exit", "7"],
    ["run", "--detach", guestImage, "--", "wait", "600"],
    ["run", "--detach", "--restart=always", guestImage, "--", "exit", "3"],
    ["prepare", guestImage, "--", "exit", "7"],
    ["run-prepared", uuid],
    ["stop", uuid],
    ["stop", "--force", uuid],
    ["enter", uuid, "/guest", "wait", "600"],
    ["rm", uuid],
    ["gc", "--grace-period=0s"],
    ["fetch", work.path("example.com-guest.aci")],
  ];
  const running = new Running(work.start(["--insecure-options=image", ...random.pick(lines)]));
  // A bare command takes about 50 ms, a whole start about 150; on a busy machine all of these instants are early ones.
  const instant = random.below(250);
  await Promise.race([running.ended, sleep(instant)]);
  running.child.kill("SIGKILL");
  await running.ended;
}

function killProcess(work: Workspace, random: Random, uuid: string): void {
  const directory = work.path("data", "pods", "run", uuid);
  const identity = random.pick([readInit(directory), readSupervisor(directory)]);
  if (identity !== undefined && isAlive(identity)) kill(identity);
}

/** It may end between the look and the kill, and its number is not given away so soon. */
function kill({ pid }: ProcessIdentity): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended by itself.
  }
}

/** I3, I4, I5, I7, I8. */
async function assertInvariants(work: Workspace): Promise<void> {
  const other = work.run(["--detach", guestImage, "--", "wait", "600"]);
  assert.equal(other.status, 0, `I3: ${other.stderr}`);
  work.must(["gc", "--grace-period=0s", "--expire-prepared=0s"]);
  const found = work.pods().find(({ uuid }) => uuid === other.stdout.trim());
  assert.equal(found?.state, "running", "I7");
  await endAll(work);
  assert.equal(work.run([guestImage, "--", "exit", "7"]).status, 7, "I8");
}
