/** Pod directories that look as if pods had been at work: held by this process they run, released they have ended. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Settings } from "../../src/api/settings.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { type PodRecord, writePodRecord } from "../../src/pod/record.ts";
import { testSettings } from "./settings.ts";
import { temporaryDirectory } from "./temporary.ts";

export async function settingsOf(t: TestContext): Promise<Settings> {
  const settings = testSettings();
  return { ...settings, directories: { ...settings.directories, data: await temporaryDirectory(t) } };
}

/** A pod in `prepare` with one app, held by this process. */
export function preparing({ directories }: Settings, record: Partial<PodRecord> = {}): Pod {
  const pod = Pod.create(openPods(directories.data));
  const apps = [{ name: "web", imageId: "sha512-aa", imageName: "example.com/web", treeId: "t" }];
  const createdAt = "2026-01-01T00:00:00.000Z";
  writePodRecord(pod.directory, { uuid: pod.uuid, createdAt, apps, network: "none", cgroups: [], ...record });
  mkdirSync(join(pod.directory, "status"));
  return pod;
}

/** The same, moved to `run`, with an init that is no process. */
export function running(settings: Settings, record: Partial<PodRecord> = {}): Pod {
  const pod = preparing(settings, record);
  writeFileSync(join(pod.directory, "pid"), "4194304 1\n");
  pod.move("run");
  return pod;
}

export function end(pod: Pod, status: number): void {
  writeFileSync(join(pod.directory, "status", "web"), `${status}\n`);
  pod.release();
}

/** As the supervisor writes when the app was executed and the pod is ready. */
export function execute(pod: Pod): void {
  mkdirSync(join(pod.directory, "pids"));
  writeFileSync(join(pod.directory, "pids", "web"), "4194303 1\n");
  writeFileSync(join(pod.directory, "ready"), "");
}
