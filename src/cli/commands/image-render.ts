/** perigee image render */
import { renderImage } from "../../api/render-image.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { wroteTree } from "../summary.ts";

export default defineCommand({
  name: "image render",
  arguments: "<image> <directory>",
  summary: "Unpack an image with all it depends on into a directory",
  description:
    "Writes DIRECTORY/manifest and DIRECTORY/rootfs, which holds what an app of the image sees: the files of its dependencies, its own over them, without what path whitelists leave out and without device nodes (made with --insecure-options=device-nodes). DIRECTORY is new or empty, and is left as it was when something fails. IMAGE is the ID of a stored image or its name, or the path of an .aci, which is not verified; what it depends on is looked for in the store. Files keep their owners when you are root.",
  options: [
    ["--rootfs-only", "put the files themselves into DIRECTORY, without manifest and rootfs/"],
    ["--overwrite", "replace DIRECTORY and everything in it"],
  ],
  examples: ["perigee image render example.com/web:1.0 ./web", "perigee image render --rootfs-only ./web.aci /srv/web"],
  notes: [
    "3: there is no such image or file, or one that it depends on is not stored",
    "5: a stored archive is not what was fetched",
    "6: DIRECTORY is not empty",
  ],
  run: async ({ args: [image = "", directory = ""], options, settings, signal }) => {
    const rendered = await renderImage(settings, {
      image,
      directory,
      rootfsOnly: options.flag("rootfs-only"),
      overwrite: options.flag("overwrite"),
      signal,
    });
    settings.log.info(wroteTree({ ...rendered, images: new Set(rendered.layers).size }));
    return rendered;
  },
  text: ({ directory }) => [printable(directory)],
});
