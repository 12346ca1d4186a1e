/** Which images of a site are made of which. Pure; what manifests ask for is a stranger's, so every walk is bounded. */
import type { ImageManifest } from "../schema/image-manifest.ts";
import { compareVersions, latestVersion } from "./layout.ts";

export interface GraphImage {
  readonly file: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly id: string | undefined;
  readonly manifest: ImageManifest | undefined;
}

export type Dependency = ImageManifest["dependencies"][number];

export interface DependencyNode {
  readonly dependency: Dependency;
  /** The image of this site that it means; undefined: it is somewhere else. */
  readonly image: GraphImage | undefined;
  readonly below: readonly DependencyNode[];
  /** Why there is nothing below although there would be. */
  readonly end?: "cycle" | "limit" | undefined;
}

const depthLimit = 16;
const nodeLimit = 300;

/** What `image` depends on, down to what is not of this site. */
export function dependencyTree(image: GraphImage, images: readonly GraphImage[]): readonly DependencyNode[] {
  const byName = groupByName(images);
  let nodes = 0;
  const visit = (from: GraphImage, above: readonly string[]): readonly DependencyNode[] => {
    const list: DependencyNode[] = [];
    for (const dependency of from.manifest?.dependencies ?? []) {
      nodes += 1;
      if (nodes > nodeLimit) break;
      const found = findImage(dependency, byName.get(dependency.imageName) ?? []);
      const end = found === undefined ? undefined : endAt(found, above);
      const below = found === undefined || end !== undefined ? [] : visit(found, [...above, found.file]);
      list.push({ dependency, image: found, below, end });
    }
    return list;
  };
  return visit(image, [image.file]);
}

function endAt(found: GraphImage, above: readonly string[]): "cycle" | "limit" | undefined {
  if (above.includes(found.file)) return "cycle";
  return above.length > depthLimit ? "limit" : undefined;
}

/** Images that name `image` as what they are made of. */
export function usersOf(image: GraphImage, images: readonly GraphImage[]): readonly GraphImage[] {
  const rivals = images.filter(({ name }) => name === image.name);
  return images.filter(({ manifest }) =>
    manifest?.dependencies.some(
      (dependency) => dependency.imageName === image.name && findImage(dependency, rivals)?.file === image.file,
    ),
  );
}

/** As a client would choose: the ID decides, then the labels, then the highest version. */
function findImage(dependency: Dependency, images: readonly GraphImage[]): GraphImage | undefined {
  const { imageID, labels } = dependency;
  const fitting = images.filter(
    ({ id, manifest }) =>
      (imageID === undefined || id?.slice(0, imageID.length) === imageID) &&
      labels.every(({ name, value }) => manifest?.labels.some((label) => label.name === name && label.value === value)),
  );
  const versionOf = ({ version }: GraphImage): string => version ?? latestVersion;
  return [...fitting].sort((a, b) => compareVersions(versionOf(b), versionOf(a)))[0];
}

function groupByName(images: readonly GraphImage[]): ReadonlyMap<string, readonly GraphImage[]> {
  const groups = new Map<string, GraphImage[]>();
  for (const image of images) {
    const group = groups.get(image.name);
    if (group === undefined) groups.set(image.name, [image]);
    else group.push(image);
  }
  return groups;
}
