/** A pod as a pod manifest file says it (`--pod-manifest`): the document checked, its images found or fetched, by their IDs. */
import { Failure, printable } from "../base/failure.ts";
import { readManifestFile } from "../image/layout-directory.ts";
import { podIsolators } from "../pod/flags.ts";
import { reifyPodManifest } from "../pod/reify.ts";
import type { ImageID } from "../schema/image-id.ts";
import { type PodApp, PodManifest } from "../schema/pod-manifest.ts";
import { parseDocument } from "../schema/validate.ts";
import type { Store } from "../store/layout.ts";
import { readRecordSync, resolveImageIdSync } from "../store/lookup.ts";
import type { ChosenPod } from "./choose-pod.ts";
import { type PodImage, podImages } from "./pod-images.ts";
import type { RunOptions } from "./run-options.ts";
import type { Settings } from "./settings.ts";

/**
 * @throws Failure USAGE for an option that the document excludes (POD-40); JSON_INVALID, MANIFEST_INVALID with the positions of what is
 * wrong; NOT_FOUND for an image that is not stored and not named; DIGEST_MISMATCH, NAME_MISMATCH for one that is another than was meant
 * (POD-41)
 */
export async function choosePodOfManifest(
  settings: Settings,
  store: Store,
  options: RunOptions,
  file: string,
): Promise<ChosenPod> {
  requireAlone(options);
  const manifest = parseDocument(PodManifest, await readManifestFile(file), file);
  const images = await imagesOf(settings, store, options, manifest.apps);
  const byId = new Map(images.map((image) => [String(image.record.id), image]));
  const apps = manifest.apps.map((app, index): PodApp => {
    const id = images[index]?.record.id ?? app.image.id;
    return { ...app, image: { ...app.image, id } };
  });
  const imageOf = (id: string) => {
    const image = byId.get(id);
    if (image === undefined) throw new Failure("INTERNAL", `${id} has no record`);
    const { app, annotations } = image.manifest;
    return { name: image.record.name, app, annotations };
  };
  const flags = { isolators: podIsolators(options), appcDefaults: options.appcDefaults };
  const reified = reifyPodManifest({ ...manifest, apps }, imageOf, flags);
  return { images, reified };
}

/** What a pod manifest says itself cannot be said beside it (rkt 1.6). */
function requireAlone(options: RunOptions): void {
  const said = [
    ["an image", options.apps],
    ["--volume", options.volumes],
    ["--mount", options.mounts],
    ["--port", options.ports],
    ["--set-env", options.setEnvironment],
    ["--set-env-file", options.environmentFiles],
    ["--inherit-env", options.inheritEnvironment === true ? [true] : []],
    ["--pull-policy", (options.pullPolicy ?? "new") === "new" ? [] : [options.pullPolicy]],
  ] as const;
  const [first] = said.filter(([, values]) => (values ?? []).length > 0);
  if (first === undefined) return;
  throw new Failure("USAGE", `--pod-manifest and ${first[0]} exclude each other`, {
    subject: first[0],
    hint: `say it in the pod manifest${first[0] === "--pull-policy" ? ": its images are the ones with these IDs" : ""}`,
  });
}

async function imagesOf(
  settings: Settings,
  store: Store,
  { allowRollback, signal }: RunOptions,
  apps: readonly PodApp[],
): Promise<readonly PodImage[]> {
  const references = apps.map(({ name, image }) => ({ image: findStored(store, image.id) ?? nameOf(name, image) }));
  const images = await podImages(settings, store, { apps: references, pullPolicy: "new", allowRollback, signal });
  images.forEach(({ record }, index) => {
    const app = apps[index];
    if (app !== undefined) requireMeant(app, record);
  });
  return images;
}

/** The whole ID of the stored image that begins so. @throws Failure AMBIGUOUS */
function findStored(store: Store, prefix: string): ImageID | undefined {
  try {
    const id = resolveImageIdSync(store, prefix);
    return readRecordSync(store, id) === undefined ? undefined : id;
  } catch (error) {
    if (error instanceof Failure && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

/** As it would be typed for run. */
function nameOf(app: string, { id, name, labels }: PodApp["image"]): string {
  const reference = [name ?? "", ...labels.map((label) => `${label.name}=${label.value}`)].join(",");
  // The words that are looked for cannot hold these.
  const isSayable = labels.every(({ value }) => !/[:,]/.test(value));
  if (name !== null && name !== undefined && isSayable) return reference;
  throw new Failure("NOT_FOUND", `${app}: no stored image is ${printable(id)}`, {
    subject: id,
    cause: isSayable ? "the pod manifest does not name it, so it cannot be fetched" : "its labels cannot be asked for",
    hint: "perigee fetch IMAGE, or give the image of the app a `name`",
  });
}

/** A name says who is trusted for an image, an ID which one it is: neither may be another's. */
function requireMeant({ name: app, image }: PodApp, record: PodImage["record"]): void {
  const digits = image.id.slice("sha512-".length);
  if (record.id.slice("sha512-".length, "sha512-".length + digits.length) !== digits) {
    throw new Failure("DIGEST_MISMATCH", `${app}: ${record.name} is not the image that the pod manifest means`, {
      subject: record.name,
      cause: `expected ${image.id}, got ${record.id}`,
      hint: "correct apps[].image.id of the pod manifest, or its labels",
    });
  }
  if (image.name === null || image.name === undefined || image.name === record.name) return;
  throw new Failure("NAME_MISMATCH", `${app}: ${printable(record.id)} is ${record.name}, not ${image.name}`, {
    subject: image.name,
    hint: "correct apps[].image of the pod manifest",
  });
}
