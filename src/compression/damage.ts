/** What a decoder says about bytes it cannot read; one wording for all formats. */
import { Failure } from "../base/failure.ts";

/** The bytes contradict their format or a sum over them. */
export function damaged(format: string, cause: string): Failure {
  return new Failure("ARCHIVE_INVALID", `the ${format} data is damaged`, { cause, hint: "fetch or build it again" });
}

export function cutOff(format: string): Failure {
  return new Failure("ARCHIVE_INVALID", `the ${format} data is cut off`, { hint: "fetch or build it again" });
}

/** Z02: a file has one reading, so nothing may stand behind it. */
export function trailing(format: string): Failure {
  return new Failure("ARCHIVE_INVALID", `something follows the end of the ${format} data`, {
    hint: "fetch or build it again: what follows is not part of it",
  });
}

/** Well formed, but a form that is not read. */
export function notRead(format: string, what: string): Failure {
  return new Failure("UNSUPPORTED", `the ${format} data uses ${what}, which is not read`, {
    hint: "decompress it and use the uncompressed file: the image ID is the same",
  });
}

export function tooMuchMemory(format: string, needed: number, allowed: number): Failure {
  return new Failure(
    "LIMIT_EXCEEDED",
    `reading the ${format} data needs ${needed} bytes of memory, more than the ${allowed} allowed`,
    {
      hint: `compress it with a smaller dictionary or window, or set ${format === "xz" ? "xzMemory" : "zstdWindow"} in limits.d: perigee help limits`,
    },
  );
}
