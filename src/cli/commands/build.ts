/** perigee build */
import { buildImage } from "../../api/build.ts";
import { Failure } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  name: "build",
  arguments: "<directory-or-output> [output]",
  summary: "Build an image from a manifest and a root file system",
  description:
    "The directory holds the file manifest and the directory rootfs, which becomes / of the image. " +
    "With --manifest and --rootfs only the output is named. Modes, owners, links, devices, extended attributes and " +
    "capabilities of the files are kept. The same input gives the same bytes; with SOURCE_DATE_EPOCH set, later times are that one.",
  options: [
    ["--manifest <file>", "the image manifest, instead of DIR/manifest"],
    ["--rootfs <dir>", "the root file system, instead of DIR/rootfs"],
    ["--overwrite", "replace the output if it is there"],
    ["--no-compression", "write a plain tar instead of gzip; the image ID is the same"],
    ["--owner-root", "all files belong to root in the image"],
  ],
  examples: [
    "perigee build web/ web.aci",
    "perigee build --manifest web.json --rootfs /srv/web web.aci",
    "SOURCE_DATE_EPOCH=0 perigee build --owner-root --overwrite web/ web.aci",
  ],
  run: async ({ args, options, settings, signal }) => {
    const [directory, output] = argumentsOf(args, options.text("manifest") ?? options.text("rootfs"));
    return await buildImage(settings, {
      directory,
      manifest: options.text("manifest"),
      rootfs: options.text("rootfs"),
      output,
      overwrite: options.flag("overwrite"),
      compression: options.flag("compression") ? "gzip" : "none",
      ownerRoot: options.flag("owner-root"),
      signal,
    });
  },
  text: ({ id }) => [id],
});

/** `DIR OUT.aci`, or `OUT.aci` alone when the parts are options. */
function argumentsOf(args: readonly string[], part: string | undefined): readonly [string | undefined, string] {
  const [first, second] = args;
  if (first !== undefined && second !== undefined) return [first, second];
  if (first !== undefined && part !== undefined) return [undefined, first];
  throw new Failure("USAGE", "build needs a directory and the name of the image to write", {
    hint: "perigee build DIR OUT.aci",
  });
}
