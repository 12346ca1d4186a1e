/** Pods of one network know each other by name: through their hosts files, which whoever starts or clears up writes anew (NET-33). */
import { chmodSync, closeSync, constants, fstatSync, ftruncateSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../base/failure.ts";
import { readStateText } from "../base/state-file.ts";
import { withNetworksLocked } from "./builtin.ts";
import { lookAtNetworks, type NetworkedPod } from "./state.ts";

const baseOf = (pod: string): string => join(pod, "net", "hosts");
const fileOf = (pod: string): string => join(pod, "files", "hosts");

/** Begins the pod's hosts file with `base`, which is its own part. */
export function writeBase(pod: string, base: string): void {
  writeFileSync(baseOf(pod), base, { mode: 0o600 });
  writeFileSync(fileOf(pod), base);
  chmodSync(fileOf(pod), 0o644);
}

/** The lines of `others` that are in a network with `pod`: each address by which it can reach them, with their names. Pure. */
export function peerLines(pod: NetworkedPod, others: readonly NetworkedPod[]): string {
  const own = new Set(pod.networks.map(({ network }) => network));
  return others
    .filter((other) => other.uuid !== pod.uuid && other.names.length > 0)
    .flatMap(({ names, networks }) =>
      networks
        .filter(({ network }) => own.has(network))
        .flatMap(({ addresses }) => addresses.map((address) => `${address.split("/")[0]}\t${names.join(" ")}\n`)),
    )
    .join("");
}

/** Writes the hosts file of each of these pods anew. `directories`: of all pods that may run; the caller keeps others from doing it too. */
export function refreshHosts(directories: readonly string[]): void {
  const pods = directories.flatMap((directory) => {
    const found = lookAtNetworks(directory);
    return found === undefined ? [] : [{ directory, found }];
  });
  const all = pods.map(({ found }) => found).sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
  for (const { directory, found } of pods) {
    const base = readStateText(baseOf(directory));
    if (base !== undefined) replaceContent(fileOf(directory), `${base}${peerLines(found, all)}`);
  }
}

/** refreshHosts, while nobody joins. */
export function refreshPeers(data: string, directories: () => readonly string[]): void {
  withNetworksLocked(data, () => refreshHosts(directories()));
}

/** In place, because the file is mounted in the pod: another one of its name would not be seen there. */
function replaceContent(path: string, text: string): void {
  if (readStateText(path) === text) return;
  let file: number;
  try {
    file = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    // The pod is moved or removed by somebody else just now.
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  try {
    if (!fstatSync(file).isFile()) return;
    const bytes = Buffer.from(text);
    writeSync(file, bytes, 0, bytes.length, 0);
    ftruncateSync(file, bytes.length);
  } finally {
    closeSync(file);
  }
}
