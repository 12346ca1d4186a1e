/**
 * Who names no version asks for `latest` (DISC-12): a second name of the highest version there is. It follows from what is in the site,
 * not from what was published last, so an old version published again is not what everybody gets (T-D12). Pure.
 */
import type { ImageKey } from "./layout.ts";
import { compareVersions, imageFile, latestVersion } from "./layout.ts";

/** Second name → the image that it means; none for an image that is called so itself. */
export function latestImages<T extends ImageKey & { readonly file: string }>(
  images: readonly T[],
): ReadonlyMap<string, T> {
  const highest = new Map<string, T>();
  for (const image of images) {
    const file = imageFile(image, latestVersion);
    const other = highest.get(file);
    if (other === undefined || isLater(image, other)) highest.set(file, image);
  }
  const files = new Set(images.map(({ file }) => file));
  return new Map([...highest].filter(([file]) => !files.has(file)));
}

/** An image without a version, or with this very one, is `latest` itself. */
function isLater(image: ImageKey, other: ImageKey): boolean {
  const [one, two] = [image, other].map(({ version }) => version ?? latestVersion);
  if (one === undefined || two === undefined || two === latestVersion) return false;
  return one === latestVersion || compareVersions(one, two) > 0;
}
