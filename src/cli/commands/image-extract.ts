/** perigee image extract */
import { extractImage } from "../../api/images.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { wroteTree } from "../summary.ts";

export default defineCommand({
  name: "image extract",
  arguments: "<image> <directory>",
  summary: "Unpack an image of the store into a directory",
  description:
    "Writes DIRECTORY/manifest and DIRECTORY/rootfs of one image, without its dependencies and without device nodes (made with --insecure-options=device-nodes). DIRECTORY is new or empty, and is left as it was when something fails. IMAGE is the ID of a stored image, its name, or the path of an .aci, which is not verified. Files keep their owners when you are root.",
  options: [
    ["--rootfs-only", "put the files themselves into DIRECTORY, without manifest and rootfs/"],
    ["--overwrite", "replace DIRECTORY and everything in it"],
  ],
  examples: [
    "perigee image extract example.com/web:1.0 ./web",
    "perigee image extract --rootfs-only ./web.aci /srv/web",
  ],
  notes: [
    "3: there is no such image or file",
    "5: the stored archive is not what was fetched",
    "6: DIRECTORY is not empty",
  ],
  run: async ({ args: [image = "", directory = ""], options, settings, signal }) => {
    const extracted = await extractImage(settings, {
      image,
      directory,
      rootfsOnly: options.flag("rootfs-only"),
      overwrite: options.flag("overwrite"),
      signal,
    });
    settings.log.info(wroteTree(extracted));
    return extracted;
  },
  text: ({ directory }) => [printable(directory)],
});
