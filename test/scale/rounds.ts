/** Many pods: one after the other, started at once, running at the same time. Counts what failed, and measures what each pod costs. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, type ProcessIdentity, readInit, readSupervisor } from "../../src/pod/record.ts";
import { guestImage } from "../helpers/guest-work.ts";
import { Running, type Workspace } from "../helpers/program.ts";

export interface Round {
  readonly what: string;
  /** One line for each pod that did not do what it should. */
  readonly failures: readonly string[];
  /** Of each pod, in the order of their starts: how long its command took. */
  readonly milliseconds: readonly number[];
}

export interface LivePod {
  readonly uuid: string;
  readonly init: ProcessIdentity;
  readonly supervisor: ProcessIdentity;
}

/** `perigee run`, each to its end before the next. */
export async function oneAfterAnother(work: Workspace, count: number): Promise<Round> {
  const round = { what: `${count} pods one after the other`, failures: [] as string[], milliseconds: [] as number[] };
  for (let pod = 0; pod < count; pod += 1) await runOne(work, round);
  return round;
}

/** As many processes of `perigee run` as pods, at once. */
export async function atOnce(work: Workspace, count: number): Promise<Round> {
  const round = { what: `${count} pods started at once`, failures: [] as string[], milliseconds: [] as number[] };
  await Promise.all(Array.from({ length: count }, () => runOne(work, round)));
  return round;
}

async function runOne(work: Workspace, round: { failures: string[]; milliseconds: number[] }): Promise<void> {
  const begun = performance.now();
  const running = work.startRun([guestImage, "--", "exit", "7"]);
  const status = await running.ended;
  round.milliseconds.push(performance.now() - begun);
  if (status !== 7) round.failures.push(`status ${status}: ${running.stderr}`);
}

/** `perigee run --detach` until so many pods run at the same time. */
export async function runningTogether(
  work: Workspace,
  count: number,
): Promise<{ readonly round: Round; readonly pods: readonly LivePod[] }> {
  const [failures, milliseconds, pods]: [string[], number[], LivePod[]] = [[], [], []];
  for (let pod = 0; pod < count; pod += 1) {
    const begun = performance.now();
    const running = work.startRun(["--detach", guestImage, "--", "wait", "600"]);
    const status = await running.ended;
    milliseconds.push(performance.now() - begun);
    if (status === 0) pods.push(livePod(work, running.stdout.trim()));
    else failures.push(`status ${status}: ${running.stderr}`);
  }
  return { round: { what: `${count} pods running together`, failures, milliseconds }, pods };
}

function livePod(work: Workspace, uuid: string): LivePod {
  const directory = work.path("data", "pods", "run", uuid);
  const [init, supervisor] = [readInit(directory), readSupervisor(directory)];
  if (init === undefined || supervisor === undefined) throw new Error(`nothing says what the processes of ${uuid} are`);
  return { uuid, init, supervisor };
}

/** Bytes of supervisor and init that are theirs, and their share of what they share (PSS). */
export function memoryOf({ init, supervisor }: LivePod): number {
  const pss = [init, supervisor].map(({ pid }) => {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024;
  });
  return pss.reduce((sum, bytes) => sum + bytes, 0);
}

/**
 * T-K05, T-L02: kill -9 of the supervisors of `supervisors` of the pods and of the inits of `inits` others. Their pods end, with no status,
 * with 137; one gc removes all of them; the other pods go on. Returns those.
 */
export async function killSome(
  work: Workspace,
  pods: readonly LivePod[],
  { supervisors, inits }: { readonly supervisors: number; readonly inits: number },
): Promise<readonly LivePod[]> {
  const orphaned = pods.slice(0, supervisors);
  const beheaded = pods.slice(supervisors, supervisors + inits);
  const others = pods.slice(supervisors + inits);
  for (const { supervisor } of orphaned) process.kill(supervisor.pid, "SIGKILL");
  for (const { init } of beheaded) process.kill(init.pid, "SIGKILL");
  for (const { init } of orphaned) await untilEnded(init);
  for (const { supervisor } of beheaded) await untilEnded(supervisor);
  const found = new Map(work.pods().map((pod) => [pod.uuid, pod]));
  for (const [ended, status] of [
    [orphaned, undefined],
    [beheaded, 137],
  ] as const) {
    for (const { uuid } of ended) {
      const pod = found.get(uuid);
      assert.deepEqual([pod?.state, pod?.apps[0]?.exitStatus], ["exited", status], uuid);
    }
  }
  work.must(["gc", "--grace-period=0s"]);
  assertRunning(work, others);
  return others;
}

/** These run, and no other pod is there. */
export function assertRunning(work: Workspace, pods: readonly LivePod[]): void {
  const listed = work.pods().map(({ uuid, state, pid }) => `${uuid} ${state} ${pid}`);
  assert.deepEqual([...listed].sort(), pods.map(({ uuid, init }) => `${uuid} running ${init.pid}`).sort());
  for (const { init, supervisor } of pods) assert.ok(isAlive(init) && isAlive(supervisor));
}

async function untilEnded(identity: ProcessIdentity): Promise<void> {
  for (let look = 0; isAlive(identity); look += 1) {
    assert.ok(look < 6000, `process ${identity.pid} does not end`);
    await sleep(10);
  }
}

/** What runs is stopped; after one gc there is no pod, nothing that was claimed for one, and nothing half-done. */
export async function endAll(work: Workspace): Promise<void> {
  const running = work.pods().filter(({ state }) => state === "running");
  // One command for all would wait for one after the other.
  const batches = Array.from({ length: Math.ceil(running.length / 25) }, (_, at) =>
    running.slice(at * 25, at * 25 + 25),
  );
  for (const batch of batches) {
    const stopping = new Running(work.start(["stop", "--force", ...batch.map(({ uuid }) => uuid)]));
    assert.equal(await stopping.ended, 0, stopping.stderr);
  }
  work.must(["gc", "--grace-period=0s", "--expire-prepared=0s"]);
  assert.deepEqual(remains(work), []);
}

/** Of pods, their claims, and work on the store. */
export function remains(work: Workspace): readonly string[] {
  const names = (...place: readonly string[]) => {
    const path = work.path("data", ...place);
    return existsSync(path) ? readdirSync(path).map((name) => [...place, name].join("/")) : [];
  };
  const phases = names("pods").flatMap((phase) => names(...phase.split("/")));
  return [...phases, ...names("id-ranges"), ...names("pod-names"), ...names("store", "staging")];
}
