/**
 * How an image and its bill of materials know each other (SBOM-7): the bill lies beside the archive, and an annotation of the manifest has its
 * digest. So the bill cannot name the image ID, which depends on the manifest.
 */
import type { Annotation } from "./annotations.ts";

export const sbomLinks = {
  spdx: { annotation: "perigee/sbom-spdx", suffix: ".spdx.json" },
  cyclonedx: { annotation: "perigee/sbom-cyclonedx", suffix: ".cdx.json" },
} as const;

export type SbomKind = keyof typeof sbomLinks;
export const sbomKinds = Object.keys(sbomLinks) as readonly SbomKind[];

/** `IMAGE.aci` → `IMAGE.aci.spdx.json`. */
export function sbomPath(image: string, kind: SbomKind): string {
  return `${image}${sbomLinks[kind].suffix}`;
}

/** The lower-case hex SHA-512 of the bill of that kind; undefined when the image names none. */
export function linkedSbom(annotations: readonly Annotation[], kind: SbomKind): string | undefined {
  const value = annotations.find(({ name }) => name === sbomLinks[kind].annotation)?.value;
  return /^sha512-([0-9a-f]{128})$/.exec(value ?? "")?.[1];
}
