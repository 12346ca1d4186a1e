/** Pods started from one process by the library, many at a time, beside as many `runc run` at a time. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { collectGarbage } from "../src/api/gc.ts";
import { runPod } from "../src/api/run.ts";
import { loadSettings } from "../src/api/settings.ts";
import { isInstalled } from "./measure.ts";
import { type Context, type Row, timingRow } from "./rows.ts";

const pods = 100;
const together = 16;
const rounds = 3;

/** @param bundle makes one of runc, whose program exits at once, as that of the stored `image` does */
export async function throughput(
  { work }: Context,
  data: string,
  image: string,
  bundle: () => string,
): Promise<readonly Row[]> {
  const ofPeer = isInstalled("runc") ? bundle() : undefined;
  const [own, others]: [number[], number[]] = [[], []];
  // The first round warms up.
  for (let round = 0; round <= rounds; round += 1) {
    const took = [await ofLibrary(data, image), ofPeer === undefined ? Number.NaN : ofRunc(work, ofPeer, round)];
    if (round > 0) for (const [index, list] of [own, others].entries()) list.push((took[index] ?? Number.NaN) / pods);
  }
  const timing = (name: string, times: readonly number[]) => {
    const sorted = [...times].sort((a, b) => a - b);
    const at = (index: number) => sorted[index] ?? Number.NaN;
    return { name, min: at(0), median: at(Math.floor(rounds / 2)), max: at(rounds - 1), runs: rounds };
  };
  const timings = [timing("perigee", own), ...(ofPeer === undefined ? [] : [timing("runc run", others)])];
  const bars = [{ factor: 1.0, of: "runc run" }];
  const missing = ofPeer === undefined ? ["runc is not installed"] : [];
  return [timingRow(`one pod of ${pods}, ${together} at a time, by the library`, timings, bars, missing)];
}

/** Milliseconds until all of them have ended. */
async function ofLibrary(data: string, image: string): Promise<number> {
  const settings = await loadSettings({ dir: data, insecureOptions: "image" });
  const begun = performance.now();
  let left = pods;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const pod = await runPod(settings, { apps: [{ image }], network: "none", foreground: false });
      const status = await (await pod.spawn()).exited;
      if (status !== 0) throw new Error(`a pod ended with ${status}`);
    }
  };
  await Promise.all(Array.from({ length: together }, worker));
  const took = performance.now() - begun;
  await collectGarbage(settings, { gracePeriodMs: 0, expirePreparedMs: 0, markOnly: false });
  return took;
}

/** xargs keeps as many of them running, and costs less than a Node that starts them would. */
function ofRunc(work: string, bundle: string, round: number): number {
  const line = `seq ${pods} | xargs -P ${together} -I {} runc --root "$0" run --bundle "$1" bench-${round}-{}`;
  const begun = performance.now();
  const { status, stderr } = spawnSync("sh", ["-c", line, join(work, "runc-state"), bundle], { encoding: "utf8" });
  if (status !== 0) throw new Error(`runc: ${stderr}`);
  return performance.now() - begun;
}
