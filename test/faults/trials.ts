/** Tries a fault at calls of a flow, one after the other, and counts how they ended. */
import assert from "node:assert/strict";
import { exitStatus, Failure, type FailureCode } from "../../src/base/failure.ts";
import type { Outcome } from "../helpers/program.ts";
import type { Flow } from "./flows.ts";
import { around, assertInvariants, common, type Expected, settle, stateOf } from "./invariants.ts";
import type { Calls, Fault, FaultWorld } from "./world.ts";

/** Which calls each fault can meet. */
export const faults: Readonly<Record<string, { readonly calls: Calls; readonly fault: Fault }>> = {
  kill: { calls: "change", fault: { kill: "all" } },
  "kill-one": { calls: "change", fault: { kill: "one" } },
  ENOSPC: { calls: "change", fault: { errno: "ENOSPC" } },
  EIO: { calls: "change", fault: { errno: "EIO" } },
  "EIO-read": { calls: "read", fault: { errno: "EIO" } },
  EMFILE: { calls: "descriptor", fault: { errno: "EMFILE" } },
  ENFILE: { calls: "descriptor", fault: { errno: "ENFILE" } },
};

/** A flow with its state before, and what it makes of it. */
export interface Stage {
  readonly world: FaultWorld;
  readonly name: string;
  readonly flow: Flow;
  readonly expected: Expected;
}

export interface Tally {
  tried: number;
  /** Where the command was killed, ended with an error, or did not need the call. */
  readonly ends: { killed: number; failed: number; succeeded: number };
  readonly problems: string[];
}

/** Prepares a flow and runs it twice undisturbed. */
export async function stage(world: FaultWorld, name: string, flow: Flow): Promise<Stage> {
  world.clear();
  await flow.prepare(world);
  world.keep(name);
  const whole = async () => {
    world.restore(name);
    const { status, stderr } = await world.perigee(flow.args(world));
    assert.equal(status, 0, stderr);
    await settle(world);
    return stateOf(world);
  };
  const beside = around(world);
  const state = common(await whole(), await whole());
  return { world, name, flow, expected: { state, around: beside } };
}

/** How many calls of the kind the flow makes. */
export async function countCalls({ world, name, flow }: Stage, calls: Calls): Promise<number> {
  world.restore(name);
  const { status, stderr } = await world.faulty(flow.args(world), { calls });
  assert.equal(status, 0, stderr);
  return world.calls().length;
}

/** The fault at each of the calls given by number, each followed by all invariants. */
export async function tryAll(on: Stage, fault: string, points: readonly number[]): Promise<Tally> {
  const tally: Tally = { tried: 0, ends: { killed: 0, failed: 0, succeeded: 0 }, problems: [] };
  for (const at of points) {
    tally.tried += 1;
    try {
      tally.ends[await tryOne(on, fault, at)] += 1;
    } catch (error) {
      const call = on.world.calls()[at - 1];
      const why = error instanceof Error ? error.message : String(error);
      tally.problems.push(
        `${at} ${call?.name} ${call?.path} ${call?.to}: ${why}`.replaceAll(on.world.work.directory, ""),
      );
    }
  }
  return tally;
}

async function tryOne({ world, name, flow, expected }: Stage, kind: string, at: number): Promise<keyof Tally["ends"]> {
  const { calls, fault } = faults[kind] ?? assert.fail(`there is no fault ${kind}`);
  world.restore(name);
  const outcome = await world.faulty(flow.args(world), { calls, at, fault });
  const isMet = world.calls().length >= at;
  const isDead = isMet && "kill" in fault && outcome.status === 137;
  if (!isDead) assertSaid(outcome, "errno" in fault && isMet ? fault.errno : undefined);
  const call = world.calls()[at - 1];
  await assertInvariants(world, flow, expected).catch((error: unknown) => {
    throw new Error(`${call?.name} ${call?.path}: ${outcome.status} ${outcome.stderr}\n${error}`);
  });
  return isDead ? "killed" : outcome.status === 0 ? "succeeded" : "failed";
}

/** T-K04: success, or one error that names what happened, with the status of its code, and never a stack. */
function assertSaid({ status, stderr }: Outcome, errno: string | undefined): void {
  assert.doesNotMatch(stderr, /\n\s+at .*:\d+:\d+|Assertion|UnhandledPromise/, `a stack:\n${stderr}`);
  // gc goes on with other pods, and says at the end that it could not do it all.
  if (status === 0 || (status === 1 && /^warning: cannot remove pod/.test(stderr))) return;
  const code = /^error\[([A-Z_]+)\]: /m.exec(stderr)?.[1] as FailureCode | undefined;
  assert.ok(code !== undefined, `status ${status} without an error: ${stderr}`);
  assert.notEqual(code, "INTERNAL", stderr);
  assert.equal(status, exitStatus(new Failure(code, "")), stderr);
  if (errno !== undefined)
    assert.match(stderr, new RegExp(`${errno}|DISK_FULL|LIMIT_EXCEEDED`), `the error names its cause: ${stderr}`);
}

/** Up to `count` numbers from 1 to `of`, evenly, beginning at `first`. */
export function spread(of: number, count: number, first = 1): readonly number[] {
  const step = Math.max(1, of / count);
  const points = Array.from({ length: Math.min(of, count) }, (_, index) => Math.floor(first + index * step));
  return [...new Set(points.filter((point) => point <= of))];
}
