/** Why an archive as a whole is refused. */
import { Failure, raiseLimit } from "../base/failure.ts";
import type { TarLimits } from "./limits.ts";

export function tooLarge(limits: TarLimits): Failure {
  return new Failure(
    "LIMIT_EXCEEDED",
    `the uncompressed archive is larger than the ${limits.totalSize} bytes allowed`,
    raiseLimit("totalSize"),
  );
}

export function noArchive(why: string): Failure {
  return new Failure("ARCHIVE_INVALID", `this is not an image, nor any tar archive: ${why}`, {
    hint: "an image is a tar archive, plain or compressed with gzip, bzip2, xz or zstd: perigee build makes one",
  });
}

export function noEnd(): Failure {
  return new Failure("ARCHIVE_INVALID", "the archive has no end marker", {
    hint: "fetch or build it again: it was cut off",
  });
}
