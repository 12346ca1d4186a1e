/** The flags that say how an image is written, shared by build and image patch-manifest. */
import type { ImageCompression } from "../api/build.ts";
import { Failure, printable } from "../base/failure.ts";
import type { OptionSpec, OptionValues } from "./command.ts";

const kinds: readonly ImageCompression[] = ["gzip", "zstd", "none"];

export const compressionOptions: readonly OptionSpec[] = [
  [
    "--compression <kind>",
    "gzip, zstd (smaller, but appc does not list it: others may not read it) or none; the image ID is the same",
    "gzip",
  ],
  ["--no-compression", "as --compression none"],
];

/** The last flag counts. @throws Failure USAGE for an unknown kind */
export function compressionOf(options: OptionValues): ImageCompression {
  // Both flags gather under one name: --no-compression gives false, and --no-compression=false true.
  if (!options.flag("compression")) return "none";
  const text = options.text("compression") ?? "gzip";
  const kind = text === "true" ? "gzip" : kinds.find((candidate) => candidate === text);
  if (kind !== undefined) return kind;
  throw new Failure("USAGE", `images are not written as ${printable(text)}`, {
    subject: "--compression",
    hint: `--compression ${kinds.join("|")}`,
  });
}
