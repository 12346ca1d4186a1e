/** perigee image export */
import { type ExportKind, exportImage, exportKinds } from "../../api/export-image.ts";
import { Failure, printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { wroteFile } from "../summary.ts";

export default defineCommand({
  name: "image export",
  arguments: "<image> <output>",
  summary: "Write an image of the store to a file, also for other tools",
  description:
    "Without --as the file is the archive as it was fetched, byte for byte, so that its signature still fits; of an image of Docker or OCI an .aci is made. " +
    "As oci (a directory), oci-archive or docker-archive an image goes to other tools: one that came from them with the same digests, an App Container Image " +
    "with a layer for each image that it is laid of. What OCI has no words for is named, and left out. IMAGE is the ID of a stored image or its name; for " +
    "OCI also the path of an .aci, which is not verified.",
  options: [
    ["--as <kind>", "aci, oci (OUTPUT is a directory), oci-archive or docker-archive", "aci"],
    ["--strict", "refuse an image of which not everything can be written"],
    ["--overwrite", "replace the output if it is there"],
  ],
  examples: [
    "perigee image export example.com/web:1.0 web.aci",
    "perigee image export --as oci example.com/web:1.0 web-layout",
    "perigee image export --as docker-archive example.com/web:1.0 web.tar && podman load -i web.tar",
  ],
  notes: [
    "with SOURCE_DATE_EPOCH the image is said to be made then; else when it says itself, never now",
    "1: not everything can be written, with --strict",
    "3: there is no such image",
    "5: what is stored is not what was fetched",
    "6: OUTPUT is there",
  ],
  run: async ({ args: [image = "", output = ""], options, settings, signal }) => {
    const exported = await exportImage(settings, {
      ...{ image, output, as: kindOf(options.text("as")), strict: options.flag("strict") },
      ...{ overwrite: options.flag("overwrite"), signal },
    });
    settings.log.info(wroteFile(exported));
    return exported;
  },
  text: ({ path }) => [printable(path)],
});

/** @throws Failure USAGE */
function kindOf(text: string | undefined): ExportKind {
  const kind = exportKinds.find((candidate) => candidate === text);
  if (kind !== undefined) return kind;
  throw new Failure("USAGE", `no image is written as ${printable(text ?? "")}`, {
    hint: `--as ${exportKinds.join("|")}`,
  });
}
