/** perigee image export */
import { exportImage } from "../../api/export-image.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { wroteFile } from "../summary.ts";

export default defineCommand({
  name: "image export",
  arguments: "<image> <output>",
  summary: "Write an image of the store to a file",
  description:
    "The file is the archive as it was fetched, byte for byte, so that its signature still fits. IMAGE is the ID of a stored image or its name.",
  options: [["--overwrite", "replace the output if it is there"]],
  examples: ["perigee image export example.com/web:1.0 web.aci"],
  notes: ["3: there is no such image", "5: the stored archive is not what was fetched", "6: OUTPUT is there"],
  run: async ({ args: [image = "", output = ""], options, settings, signal }) => {
    const exported = await exportImage(settings, { image, output, overwrite: options.flag("overwrite"), signal });
    settings.log.info(wroteFile(exported));
    return exported;
  },
  text: ({ path }) => [printable(path)],
});
