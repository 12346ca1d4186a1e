/** export: the files of an app that has ended, with what it changed, as an image of its own. */
import { mkdtempSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { Failure } from "../base/failure.ts";
import { type BuiltImage, buildArchive } from "../image/build.ts";
import type { ImageCompression } from "../image/compress.ts";
import { requireOutput } from "../image/output.ts";
import { holdEnded } from "../pod/ended.ts";
import { podFiles } from "../pod/network.ts";
import { podsOf, resolvePod } from "../pod/pod.ts";
import { type PodAppRecord, type PodRecord, readPodRecord } from "../pod/record.ts";
import { captureMembers } from "../recipe/capture.ts";
import { unpackLayer } from "../recipe/layer.ts";
import { canKeepOwners } from "../shim/caller-ids.ts";
import { FileLock } from "../shim/flock.ts";
import type { PackEntry } from "../shim/pack.ts";
import { removeTrees } from "../shim/remove.ts";
import { openStoreSync, type Store } from "../store/layout.ts";
import { notStored, readManifestSync } from "../store/lookup.ts";
import { isWhiteoutEntry, mergeLayers } from "../store/merge.ts";
import { isImageID } from "../store/records.ts";
import { viewOf } from "../store/stack.ts";
import { findTree } from "../store/trees.ts";
import type { TarMember } from "../tar/entry.ts";
import { showPodManifest } from "./cat-manifest.ts";
import type { Settings } from "./settings.ts";

export interface ExportOptions {
  /** A uuid or a unique prefix of it. */
  readonly pod: string;
  /** Of a pod of several apps the one that is meant. */
  readonly app?: string | undefined;
  /** Ends in `.aci`. */
  readonly output: string;
  /** Replace an existing file. */
  readonly overwrite?: boolean | undefined;
  /** `gzip` when absent. */
  readonly compression?: ImageCompression | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ExportedApp extends BuiltImage {
  /** Of the app's image, which the new one is called, too. */
  readonly name: string;
}

/**
 * The manifest is that of the app's image, without dependencies and whitelist, because their files are in it. Volumes are not, nor what was
 * made to mount them on; owners are those inside of the pod (LIFE-53). Whole and durable, or not there.
 * @throws Failure NOT_FOUND, AMBIGUOUS, USAGE, ALREADY_EXISTS; WRONG_STATE for a pod that has not ended; IMAGE_INVALID, DISK_FULL
 */
export async function exportApp(settings: Settings, options: ExportOptions): Promise<ExportedApp> {
  const { output, overwrite = false } = options;
  await requireOutput({ output, overwrite });
  const { data } = settings.directories;
  const pod = resolvePod(podsOf(data), options.pod);
  const held = holdEnded(podsOf(data), pod);
  let lock: FileLock | undefined;
  try {
    const record = readPodRecord(held.directory);
    if (record === undefined) throw notReadable(pod.uuid, "its record is missing or damaged");
    const app = appOf(record, options.app);
    // Two exports of one app would take away the same places from under each other.
    lock = FileLock.open(join(held.directory, "apps", app.name), "exclusive", { wait: true });
    const targets = await targetsOf(settings, pod.uuid, app.name);
    const request = { app, targets, idBase: record.idBase ?? 0, directory: join(held.directory, "apps", app.name) };
    return await write(settings, openStoreSync(data), request, options);
  } finally {
    lock?.release();
    held.release();
  }
}

function appOf({ uuid, apps }: PodRecord, wanted: string | undefined): PodAppRecord {
  const names = apps.map(({ name }) => name).join(", ");
  const [app, second] = wanted === undefined ? apps : apps.filter(({ name }) => name === wanted);
  if (app === undefined) {
    throw new Failure("NOT_FOUND", `pod ${uuid} has no app ${wanted ?? ""}`, {
      subject: wanted,
      hint: `--app: ${names}`,
    });
  }
  if (second === undefined) return app;
  throw new Failure("USAGE", `pod ${uuid} has ${apps.length} apps`, { subject: uuid, hint: `--app: ${names}` });
}

/** Places that something was mounted at. */
async function targetsOf(settings: Settings, pod: string, app: string): Promise<readonly string[]> {
  const { apps = [] } = JSON.parse((await showPodManifest(settings, { pod })).toString("utf8"));
  const own: { readonly mounts?: readonly { readonly path: string }[] } | undefined = apps.find(
    ({ name }: { readonly name: string }) => name === app,
  );
  const files = podFiles({ network: "host", hostname: "", hostResolvConf: "" });
  return [
    "/proc",
    "/sys",
    "/dev",
    ...files.map(({ target }) => target),
    ...(own?.mounts ?? []).map(({ path }) => path),
  ];
}

interface AppFiles {
  readonly app: PodAppRecord;
  readonly targets: readonly string[];
  readonly idBase: number;
  /** `apps/NAME` of the pod. */
  readonly directory: string;
}

async function write(settings: Settings, store: Store, files: AppFiles, options: ExportOptions): Promise<ExportedApp> {
  const { imageId, imageName, treeId } = files.app;
  const { output, overwrite = false, compression = "gzip", signal } = options;
  const tree = findTree(store, treeId);
  if (tree === undefined || !isImageID(imageId)) throw notStored(imageId);
  const manifest = standalone(readManifestSync(store, imageId));
  const build = async (rootfs: AsyncIterable<PackEntry>): Promise<ExportedApp> => ({
    name: imageName,
    ...(await buildArchive({
      manifest,
      rootfs,
      output,
      overwrite,
      compression,
      ownerRoot: false,
      sourceDateEpoch: settings.sourceDateEpoch,
      limits: await settings.limits(),
      signal,
      log: settings.log,
    })),
  });
  const image = { id: treeId, rootfs: tree.rootfs };
  const capture = (upper: string): AsyncIterable<TarMember> =>
    captureMembers({
      upper,
      view: viewOf([image]),
      idBase: files.idBase,
      // Times are the app's own, so that every export of it is the same.
      startedAt: Number.MAX_SAFE_INTEGER,
      epoch: 0,
      mountTargets: files.targets,
      signal,
    });
  const copy = join(files.directory, "root");
  if (isDirectory(copy)) return await build(entriesOf(capture(copy)));
  const staging = mkdtempSync(join(files.directory, "export-"));
  try {
    await unpackLayer(capture(join(files.directory, "upper")), staging, { isRoot: canKeepOwners(), signal });
    return await build(mergeLayers([image, { id: "upper", rootfs: staging }], { signal }));
  } finally {
    await removeTrees(files.directory, [basename(staging)], { asPodRoot: true });
  }
}

/** As it is in the archive, its files being all there. */
function standalone(manifest: Buffer): Buffer {
  const { dependencies: _, pathWhitelist: __, ...own } = JSON.parse(manifest.toString("utf8"));
  return Buffer.from(`${JSON.stringify(own, undefined, 2)}\n`);
}

/** Of a copied root: what looks like a mark of an overlay there is a file that an app has made. */
async function* entriesOf(members: AsyncIterable<TarMember>): AsyncGenerator<PackEntry> {
  for await (const member of members) if (!isWhiteoutEntry(member)) yield { ...member, size: BigInt(member.size) };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function notReadable(uuid: string, cause: string): Failure {
  return new Failure("WRONG_STATE", `pod ${uuid} cannot be read`, { subject: uuid, cause, hint: `perigee rm ${uuid}` });
}
