/** Whether what came is what was asked for (DISC-10, ACI-47). Pure. */
import { Failure } from "../base/failure.ts";
import type { ImageID } from "../schema/image-id.ts";

type Labels = readonly { readonly name: string; readonly value: string }[];

/**
 * The name must be the manifest's, and each label that was asked for must have that value. The host's os and arch, which
 * nobody typed, need only not be contradicted: an image without them runs anywhere.
 * @throws Failure NAME_MISMATCH
 */
export function requireMatch(
  manifest: { readonly name: string; readonly labels: Labels },
  wanted: { readonly name: string; readonly labels: Labels; readonly hostLabels: Labels },
): void {
  if (manifest.name !== wanted.name) {
    throw mismatch(wanted.name, `its manifest says that it is ${manifest.name}`);
  }
  for (const { name, value } of [...wanted.labels, ...wanted.hostLabels]) {
    const actual = manifest.labels.find((label) => label.name === name)?.value;
    const isTyped = wanted.labels.some((label) => label.name === name);
    if (actual === value || (actual === undefined && !isTyped)) continue;
    const says = actual === undefined ? `its manifest has no label ${name}` : `its manifest says ${name}=${actual}`;
    throw mismatch(wanted.name, `${name}=${value} was asked for, ${says}`);
  }
}

function mismatch(name: string, why: string): Failure {
  return new Failure("NAME_MISMATCH", `what was fetched for ${name} is another image: ${why}`, {
    subject: name,
    hint: "ask the publisher; what the server sent was not stored",
  });
}

/** What a manifest pins of a dependency: an image ID or its beginning, and a size. */
export interface Pin {
  readonly imageName: string;
  readonly imageID?: string | undefined;
  readonly size?: number | undefined;
}

export interface Measured {
  readonly id: ImageID;
  readonly archive: { readonly size: number };
  readonly tarSize: number;
}

/** Whether the image ID is the one pinned, if one is. */
export function hasPinnedId(pin: Pin, id: ImageID): boolean {
  return pin.imageID === undefined || id.slice(0, pin.imageID.length) === pin.imageID;
}

/**
 * ACI-47: the size may be the archive's as fetched or that of its tar.
 * @throws Failure DIGEST_MISMATCH
 */
export function requirePinned(pin: Pin, image: Measured, dependant: string): void {
  const differs = (cause: string) =>
    new Failure("DIGEST_MISMATCH", `${pin.imageName} is not the image that ${dependant} depends on`, {
      subject: pin.imageName,
      cause,
      hint: `ask who publishes ${dependant}`,
    });
  if (!hasPinnedId(pin, image.id)) throw differs(`expected ${pin.imageID}, got ${image.id}`);
  if (pin.size === undefined || pin.size === image.archive.size || pin.size === image.tarSize) return;
  throw differs(`expected ${pin.size} bytes, got ${image.archive.size} (${image.tarSize} uncompressed)`);
}
