/** perigee image cat-manifest */
import { showImage } from "../../api/images.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { documentLines, prettyPrintOptions } from "../document.ts";
import { humanSize } from "../tables.ts";

export default defineCommand({
  name: "image cat-manifest",
  arguments: "<image>",
  summary: "Print the manifest of an image of the store",
  description:
    "IMAGE is the ID of a stored image (sha512- and 8 digits or more), its name, or the path of an .aci, which is not verified. Of several images with a name the one that run would take is shown.",
  options: prettyPrintOptions,
  examples: [
    "perigee image cat-manifest example.com/web:1.0",
    "perigee image cat-manifest sha512-3c1a0dfd962d",
    "perigee image cat-manifest ./web.aci",
  ],
  notes: ["1: it is no image, or breaks a rule", "2: the ID means several images", "3: there is no such image or file"],
  run: async ({ args: [image = ""], settings, signal }) => {
    const bytes = await showImage(settings, { image, signal });
    settings.log.info(`the manifest of ${printable(image)}: ${humanSize(bytes.length)}`);
    const manifest: unknown = JSON.parse(bytes.toString("utf8"));
    return manifest;
  },
  text: (manifest, { options }) => documentLines(manifest, options),
});
