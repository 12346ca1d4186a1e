/** A pod manifest made ready to run (POD-3): every app has its `app`, every mount point its volume. Pure. */
import { excerpt, Failure } from "../base/failure.ts";
import { isACIdentifier, isACName } from "../schema/grammar.ts";
import type { Isolator } from "../schema/isolators.ts";
import type { ACName } from "../schema/names.ts";
import type { PodApp, PodManifest } from "../schema/pod-manifest.ts";
import type { Volume } from "../schema/volume.ts";
import { completeApp } from "./app.ts";
import { appcDefaults } from "./flags.ts";
import type { StoredImageManifest } from "./manifest.ts";
import { withImageNotify } from "./notify.ts";
import { cleanPath } from "./paths.ts";

export interface ReifiedPod {
  readonly manifest: PodManifest;
  /** By app name: the isolators that its image says and whoever runs it did not replace. */
  readonly imageIsolators: ReadonlyMap<string, ReadonlySet<string>>;
  readonly warnings: readonly string[];
}

/** What whoever runs it says beside a pod manifest. */
export interface ManifestFlags {
  /** Each replaces the pod's of its name. */
  readonly isolators?: readonly Isolator[] | undefined;
  /** As of makePodManifest (ISO-15). */
  readonly appcDefaults?: boolean | undefined;
}

/**
 * The same for `--pod-manifest FILE`: apps without an `app` get their image's, mount points their volumes.
 * `imageOf` is called once for every app. @throws Failure MANIFEST_INVALID
 */
export function reifyPodManifest(
  manifest: PodManifest,
  imageOf: (id: string) => { readonly name: string } & StoredImageManifest,
  flags: ManifestFlags = {},
): ReifiedPod {
  const imageIsolators = new Map<string, ReadonlySet<string>>();
  const apps = manifest.apps.map((app): PodApp => {
    const image = imageOf(app.image.id);
    const own = app.app ?? (image.app ? completeApp(image.app) : undefined);
    if (own === undefined) {
      throw new Failure("MANIFEST_INVALID", `${app.name}: neither the pod manifest nor its image says what to run`, {
        subject: app.name,
        hint: "give the app of the pod manifest an `app`",
      });
    }
    const said = {
      isolators: own.isolators,
      fromImage: new Set(app.app === undefined ? own.isolators.map(({ name }) => name) : []),
    };
    const { isolators, fromImage } = flags.appcDefaults === true ? appcDefaults(said) : said;
    imageIsolators.set(app.name, fromImage);
    const known = isACIdentifier(image.name) ? image.name : undefined;
    return {
      ...app,
      app: { ...own, isolators: [...isolators] },
      image: { ...app.image, name: app.image.name ?? known },
      annotations: withImageNotify(app.annotations, image.annotations),
    };
  });
  const given = flags.isolators ?? [];
  const kept = manifest.isolators.filter(({ name }) => !given.some((isolator) => isolator.name === name));
  return { ...matchMountPoints({ ...manifest, apps, isolators: [...kept, ...given] }), imageIsolators };
}

/** Every app named once, every mount point matched (POD-3, POD-5). */
export function matchMountPoints(manifest: PodManifest): Omit<ReifiedPod, "imageIsolators"> {
  if (manifest.apps.length === 0) throw new Failure("MANIFEST_INVALID", "a pod has at least one app");
  const names = new Set<string>();
  for (const { name } of manifest.apps) {
    if (names.has(name)) {
      throw new Failure("USAGE", `two apps of the pod are called ${name}`, {
        subject: name,
        hint: "give one of them --name",
      });
    }
    names.add(name);
  }
  const volumes: Volume[] = [...manifest.volumes];
  const warnings: string[] = [];
  const apps = manifest.apps.map((app): PodApp => {
    const mounts = app.mounts.map((mount) => withoutOwnVolume(app.name, mount, volumes));
    for (const point of app.app?.mountPoints ?? []) {
      const path = cleanPath(point.path);
      if (mounts.some((mount) => cleanPath(mount.path) === path)) continue;
      if (!volumes.some(({ name }) => name === point.name)) {
        const implicit = freeName(`${app.name}-${point.name}`, volumes);
        volumes.push({ name: implicit, kind: "empty", mode: "0755", uid: 0, gid: 0, seeded: true });
        warnings.push(
          `${app.name}: no volume for mount point ${point.name} at ${excerpt(path)}: one with what the image has there, gone with the pod`,
        );
        mounts.push({ volume: implicit, path: point.path });
      } else mounts.push({ volume: point.name, path: point.path });
    }
    return { ...app, mounts };
  });
  return { manifest: { ...manifest, apps, volumes }, warnings };
}

/** A volume that one app has for itself (POD-9) becomes one of the pod that no other app mounts. `volumes` grows. */
function withoutOwnVolume(app: string, mount: PodApp["mounts"][number], volumes: Volume[]): PodApp["mounts"][number] {
  const { appVolume, path } = mount;
  if (!appVolume) return { volume: mount.volume, path };
  const name = freeName(`${app}-${appVolume.name}`, volumes);
  volumes.push({ ...appVolume, name });
  return { volume: name, path };
}

/** A pod's volume of that name must not become the app's own by chance. */
function freeName(wanted: string, volumes: readonly Volume[]): ACName {
  let candidate = wanted;
  for (let number = 2; volumes.some(({ name }) => name === candidate); number += 1) candidate = `${wanted}-${number}`;
  return requireName(candidate, "MANIFEST_INVALID");
}

/** @throws Failure of `code` for what is no ACName */
export function requireName(text: string, code: "USAGE" | "MANIFEST_INVALID"): ACName {
  if (isACName(text)) return text;
  throw new Failure(code, `${excerpt(text)} is no app or volume name`, {
    subject: text,
    hint: "lower-case letters and digits, separated by single - (TYPE-2)",
  });
}
