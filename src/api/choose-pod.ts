/** Of what a pod is made: its images, in the store and trusted now, and the manifest that says how they run together. */
import { Failure, printable } from "../base/failure.ts";
import { readIfExists } from "../base/files.ts";
import { parsePortFlag } from "../net/ports.ts";
import { parseEnvironmentFile, parseVariable } from "../pod/environment.ts";
import { podIsolators } from "../pod/flags.ts";
import { type AppRequest, makePodManifest } from "../pod/manifest.ts";
import type { ReifiedPod } from "../pod/reify.ts";
import { parseMountFlag, parseVolumeFlag } from "../pod/volume-flags.ts";
import type { Store } from "../store/layout.ts";
import { type PodImage, podImages } from "./pod-images.ts";
import type { RunApp, RunOptions } from "./run-options.ts";
import type { Settings } from "./settings.ts";

/** What of an image its app needs once the manifest is made. */
export type ChosenImage = Pick<PodImage, "record" | "treeId">;

export interface ChosenPod {
  /** In the order of the manifest's apps. */
  readonly images: readonly ChosenImage[];
  readonly reified: ReifiedPod;
}

/** Fetches what is not stored. @throws Failure as podImages and makePodManifest, or as readPodManifest for a pod manifest */
export async function choosePod(settings: Settings, store: Store, options: RunOptions): Promise<ChosenPod> {
  if (options.podManifest !== undefined) {
    const { choosePodOfManifest } = await import("./pod-manifest.ts");
    return await choosePodOfManifest(settings, store, options, options.podManifest);
  }
  const images = await podImages(settings, store, options);
  const reified = makePodManifest(
    options.apps.map((app, index) => request(app, images[index])),
    {
      volumes: options.volumes?.map(parseVolumeFlag),
      mounts: options.mounts?.map(parseMountFlag),
      isolators: podIsolators(options),
      ports: options.ports?.map(parsePortFlag),
      appcDefaults: options.appcDefaults,
      inheritedEnvironment: options.inheritEnvironment === true ? settings.environment : undefined,
      fileEnvironment: await environmentFiles(options.environmentFiles ?? []),
      setEnvironment: options.setEnvironment?.map(parseVariable),
      caller: settings.caller,
    },
  );
  return { images, reified };
}

function request(app: RunApp, image: PodImage | undefined): AppRequest {
  if (image === undefined) throw new Failure("INTERNAL", `${app.image} has no record`);
  const { image: _, signature: __, mounts, ...flags } = app;
  return {
    ...flags,
    image: {
      ...{ id: image.record.id, name: image.record.name, labels: image.record.labels, manifest: image.manifest },
      entrypoint: image.record.oci?.entrypoint,
    },
    mounts: mounts?.map(parseMountFlag),
  };
}

async function environmentFiles(paths: readonly string[]): Promise<readonly (readonly [string, string])[]> {
  const variables: (readonly [string, string])[] = [];
  for (const path of paths) {
    const bytes = await readIfExists(path, 1024 * 1024);
    if (bytes === undefined) throw new Failure("NOT_FOUND", `there is no file ${printable(path)}`, { subject: path });
    variables.push(...parseEnvironmentFile(bytes.toString("utf8"), path));
  }
  return variables;
}
