/** Kills commands about pods at their steps: stage0, supervisor, init or app, whoever makes the call, or all of them. Looks at the invariants after each. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { findPodCgroups } from "../../src/pod/cgroup.ts";
import { isAlive, readInit, readSupervisor } from "../../src/pod/record.ts";
import { guestImage } from "../helpers/guest-work.ts";
import type { ListedPod } from "../helpers/program.ts";
import { assertState, type State, stateOf } from "./invariants.ts";
import { directoryOf, type PodFlow, podFlows, podsOf, type Subject } from "./pod-flows.ts";
import type { FaultWorld } from "./world.ts";

export type Killed = "all" | "one";

/** A world with the guest as an image, and what is stored in it: no pod changes that. */
export interface PodStage {
  readonly world: FaultWorld;
  readonly stored: State;
}

export function podStage(world: FaultWorld): PodStage {
  world.clear();
  world.work.stored(guestImage, { exec: ["/guest"] });
  // Directories that the first pod makes.
  assert.equal(world.work.run([guestImage, "--", "exit", "7"]).status, 7);
  clearUp(world);
  return { world, stored: storedIn(world) };
}

/** Times, caches of looks and locks aside. */
function storedIn(world: FaultWorld): State {
  return new Map(
    [...stateOf(world)].filter(([path]) => /^data\/store\/(blobs|index|manifests|trees)(\/|$)/.test(path)),
  );
}

export interface PodTally {
  tried: number;
  readonly problems: string[];
}

/** The number of steps of a flow that nothing disturbs. */
export async function countSteps({ world }: PodStage, name: string): Promise<number> {
  const flow = flowOf(name);
  const subject = flow.subject?.(world);
  const { status, stderr } = await world.faulty(flow.args(subject?.uuid ?? ""), { calls: "step" });
  assert.equal(status, flow.status, stderr);
  const count = world.calls().length;
  clearUp(world);
  return count;
}

function flowOf(name: string): PodFlow {
  return podFlows[name] ?? assert.fail(`there is no flow ${name}`);
}

/** A kill at each of the steps given by number, each followed by all invariants. */
export async function killAt(on: PodStage, name: string, kill: Killed, points: readonly number[]): Promise<PodTally> {
  const tally: PodTally = { tried: 0, problems: [] };
  for (const at of points) {
    tally.tried += 1;
    try {
      await killOnce(on, flowOf(name), kill, at);
    } catch (error) {
      const call = on.world.calls()[at - 1];
      const why = error instanceof Error ? error.message : String(error);
      tally.problems.push(`${at} ${call?.name} ${call?.path}: ${why}`.replaceAll(on.world.work.directory, ""));
    }
  }
  return tally;
}

async function killOnce({ world, stored }: PodStage, flow: PodFlow, kill: Killed, at: number): Promise<void> {
  const subject = flow.subject?.(world);
  const outcome = await world.faulty(flow.args(subject?.uuid ?? ""), { calls: "step", at, fault: { kill } });
  try {
    assert.doesNotMatch(outcome.stderr, /\n\s+at .*:\d+:\d+|Assertion|UnhandledPromise/, "a stack");
    for (const pod of podsOf(world)) assertTrue(world, pod, subject);
    // I3, I7, I8: the next gc disturbs no pod that runs, and the command does again what it does.
    gc(world);
    if (subject?.init !== undefined && isAlive(subject.init)) assertRuns(world, subject, flow);
    const again = await world.perigee(flow.args(subject?.uuid ?? ""));
    const wanted = podIsGone(world, subject, flow) ? [...flow.again, 3] : flow.again;
    assert.ok(wanted.includes(again.status), `I8: the command again: status ${again.status}\n${again.stderr}`);
    clearUp(world);
    assertState(storedIn(world), stored, "I6");
  } catch (error) {
    world.work.perigee(["gc", "--grace-period=0s", "--expire-prepared=0s"]);
    throw new Error(`${outcome.status} ${outcome.stderr}\n${error}`);
  }
}

/** A pod that ended is collected by the gc in between. */
function podIsGone(world: FaultWorld, subject: Subject | undefined, { again }: PodFlow): boolean {
  return subject !== undefined && !again.includes(3) && !existsSync(directoryOf(world, subject.uuid));
}

/** I4: what is listed is so, and an exit status is one that somebody saw. */
function assertTrue(world: FaultWorld, listed: ListedPod, subject: Subject | undefined): void {
  const missing = listed.state === "running" ? missingOf(world, listed) : undefined;
  // One that ended between the list and the look is listed as such from then on.
  const pod = missing === undefined ? listed : listedNow(world, listed.uuid);
  if (pod === undefined) return;
  const isRunning = pod.state === "running";
  assert.ok(missing === undefined || !isRunning, `${pod.uuid} runs without ${missing}`);
  assert.ok(!isRunning || pod.uuid === subject?.uuid, `${pod.uuid} is ${pod.state}, and all of its processes ended`);
  assert.notEqual(pod.state, "preparing");
  const statuses = pod.apps.map(({ exitStatus }) => exitStatus).filter((status) => status !== undefined);
  // 40: the guest's, when it is asked to end.
  for (const status of statuses) assert.ok([7, 40, 137].includes(status), `an exit status of ${status}`);
}

/** What a pod that runs must have and this one has not. */
function missingOf(world: FaultWorld, { uuid }: ListedPod): string | undefined {
  const directory = directoryOf(world, uuid);
  const supervisor = readSupervisor(directory);
  if (supervisor === undefined || !isAlive(supervisor)) return "a supervisor";
  return readInit(directory) === undefined ? "an init" : undefined;
}

function listedNow(world: FaultWorld, uuid: string): ListedPod | undefined {
  return podsOf(world).find((found) => found.uuid === uuid);
}

/** Its init lived when gc had ended. Where a killed `stop` had asked it to end, it may have ended since. */
function assertRuns(world: FaultWorld, { uuid, init }: Subject, { endsSubject }: PodFlow): void {
  const state = listedNow(world, uuid)?.state;
  if (endsSubject && init !== undefined && !isAlive(init)) return;
  assert.equal(state, "running", "I7: gc leaves a pod alone that runs");
}

function gc(world: FaultWorld, ...flags: readonly string[]): void {
  const { status, stderr } = world.work.perigee(["gc", "--grace-period=0s", ...flags]);
  assert.equal(status, 0, `I3: gc\n${stderr}`);
  assert.doesNotMatch(stderr, /error|warning/, "I3: gc");
}

/** I5: after stop and gc there is nothing of any pod. */
function clearUp(world: FaultWorld): void {
  const uuids = namesIn(world, "pods", "run");
  const running = podsOf(world).filter(({ state }) => state === "running");
  if (running.length > 0) world.work.must(["stop", "--force", ...running.map(({ uuid }) => uuid)]);
  gc(world, "--expire-prepared=0s");
  const phases = namesIn(world, "pods");
  const left = phases.flatMap((phase) => namesIn(world, "pods", phase).map((uuid) => `pods/${phase}/${uuid}`));
  const claims = ["id-ranges", "pod-names"].flatMap((place) => namesIn(world, place).map((name) => `${place}/${name}`));
  assert.deepEqual([...left, ...claims], [], "I5: of pods");
  assert.deepEqual(
    uuids.flatMap((uuid) => findPodCgroups(uuid)),
    [],
    "I5: cgroups",
  );
  assert.deepEqual(namesIn(world, "store", "staging"), [], "I5: of the store");
}

function namesIn(world: FaultWorld, ...place: readonly string[]): readonly string[] {
  const path = world.work.path("data", ...place);
  return existsSync(path) ? readdirSync(path) : [];
}
