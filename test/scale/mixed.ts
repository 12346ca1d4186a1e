/** T-C04: workers that fetch, run, enter, stop, remove, list and collect all at the same time, each of which knows what it has to see. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type ListedPod, type Outcome, Running, type Workspace } from "../helpers/program.ts";
import { Random } from "../helpers/random.ts";

export interface MixOptions {
  readonly workers: number;
  /** Of each worker. */
  readonly commands: number;
  readonly seed: number;
  /** Archives of images, by name. */
  readonly images: ReadonlyMap<string, string>;
}

const actions = ["fetch", "run", "run", "detach", "detach", "list", "enter", "stop", "rm", "gc"] as const;

/** A line for each command that did not end, or did not show, what it had to. All that was started has ended when this returns. */
export async function mix(work: Workspace, options: MixOptions): Promise<readonly string[]> {
  const workers = Array.from({ length: options.workers }, (_, index) => new Worker(work, options, index));
  return (await Promise.all(workers.map((worker) => worker.work()))).flat();
}

class Worker {
  readonly #work: Workspace;
  readonly #options: MixOptions;
  readonly #random: Random;
  /** Pods that it started, and nobody else stops. */
  readonly #own: string[] = [];

  constructor(work: Workspace, options: MixOptions, index: number) {
    this.#work = work;
    this.#options = options;
    this.#random = new Random(options.seed, index);
  }

  async work(): Promise<readonly string[]> {
    const problems: string[] = [];
    const attempt = async (action: (typeof actions)[number]): Promise<void> => {
      try {
        await this.#act(action);
      } catch (error) {
        problems.push(`${action}: ${error instanceof Error ? error.message : error}`);
      }
    };
    for (let command = 0; command < this.#options.commands; command += 1) await attempt(this.#random.pick(actions));
    while (this.#own.length > 0) await attempt("stop");
    return problems;
  }

  async #act(action: (typeof actions)[number]): Promise<void> {
    const [image, archive] = this.#random.pick([...this.#options.images]);
    switch (action) {
      case "fetch":
        return void (await this.#expect([0], ["fetch", archive]));
      case "run":
        return void (await this.#expect([7], ["run", image, "--", "exit", "7"]));
      case "detach":
        this.#own.push((await this.#expect([0], ["run", "--detach", image, "--", "wait", "600"])).stdout.trim());
        return;
      case "enter":
        for (const uuid of this.#own) await this.#expect([5], ["enter", uuid, "/guest", "exit", "5"]);
        return;
      case "list":
        return await this.#look();
      case "stop":
        return await this.#stop(false);
      case "rm":
        return await this.#stop(true);
      case "gc":
        return void (await this.#expect([0], ["gc", "--grace-period=0s"]));
    }
  }

  /** Its own pods run, since nobody stops them but itself. */
  async #look(): Promise<void> {
    const pods = await this.#list();
    for (const uuid of this.#own) assert.equal(pods.find((pod) => pod.uuid === uuid)?.state, "running", uuid);
  }

  /** A pod that was stopped runs no more for anybody who looks afterwards, one that was removed is not there. */
  async #stop(alsoRemove: boolean): Promise<void> {
    const uuid = this.#own.pop();
    if (uuid === undefined) return;
    await this.#expect([0], ["stop", "--timeout", "60", uuid]);
    if (alsoRemove) await this.#remove(uuid);
    const state = (await this.#list()).find((pod) => pod.uuid === uuid)?.state;
    assert.notEqual(state, "running", uuid);
    if (alsoRemove) assert.equal(state, undefined, uuid);
  }

  /** The gc of another may have been first (3), or be at it for longer than rm waits (6, LIFE-32). */
  async #remove(uuid: string): Promise<void> {
    for (let look = 0; look < 100; look += 1) {
      if ((await this.#expect([0, 3, 6], ["rm", uuid])).status !== 6) return;
      await sleep(50);
    }
    assert.fail(`the lock of ${uuid} is stuck`);
  }

  async #list(): Promise<readonly ListedPod[]> {
    return JSON.parse((await this.#expect([0], ["list", "--format", "json"])).stdout);
  }

  async #expect(statuses: readonly number[], args: readonly string[]): Promise<Outcome> {
    const running = new Running(this.#work.start(["--insecure-options=image", ...args]));
    const status = await running.ended;
    const { stdout, stderr } = running;
    assert.ok(statuses.includes(status), `${args.join(" ")}: status ${status}\n${stderr}`);
    return { status, stdout, stderr };
  }
}
