/** A verified archive becomes a tree in staging. Whether it was verified is import.ts's affair. */
import { printable } from "../base/failure.ts";
import { withProgress } from "../base/log.ts";
import type { ArchiveSummary } from "../image/archive.ts";
import type { Staging } from "../store/blobs.ts";
import { stagedBytes } from "./acquire.ts";
import type { ImportOptions, WantedImage } from "./import.ts";
import { requireMatch } from "./match.ts";

/** @throws Failure NAME_MISMATCH, and what extractArchive throws */
export async function unpack(
  { location, named }: WantedImage,
  options: ImportOptions,
  staging: Staging,
): Promise<ArchiveSummary> {
  const { log, limits, signal } = options;
  const { size: total } = await staging.archive.stat();
  const what = named?.name ?? (location.image.kind === "file" ? location.image.path : location.image.url);
  // Only here: an image that is up to date needs neither the archive's reader nor the schemas.
  const { extractArchive } = await import("../image/extract.ts");
  const summary = await withProgress(log, `unpacking ${what}`, async (tell) => {
    async function* counted(): AsyncGenerator<Uint8Array> {
      let done = 0;
      for await (const block of stagedBytes(staging.archive)) {
        done += block.length;
        tell(done, total);
        yield block;
      }
    }
    return await extractArchive(counted(), staging.rootfs, { owner: options.keepOwners, sync: true, limits, signal });
  });
  // DISC-10, whether or not anybody signed it: a server must not hand out one image as another.
  if (named !== undefined) requireMatch(summary.manifest, named);
  if (summary.skipped.length > 0) {
    log.warn(`${summary.manifest.name}: left out of the tree: ${few(summary.skipped)}`);
  }
  return summary;
}

/** D01, X01: somebody has to be told; a hostile image must not fill the screen. */
function few(names: readonly string[]): string {
  const shown = names.slice(0, 10).map(printable).join(", ");
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}
