/** perigee export */
import { exportApp } from "../../api/export.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { compressionOf, compressionOptions } from "../compression.ts";
import { wroteFile } from "../summary.ts";

export default defineCommand({
  name: "export",
  arguments: "<pod> <output>",
  summary: "Write the files of an app that has ended as an image",
  description:
    "The image has all that the app's image and its dependencies had, with what the app changed, and the owners that the app saw. Volumes are not in it. It is called as the app's image, and nobody has signed it.",
  options: [
    ["--app <name>", "which app of the pod; needed when it has several"],
    ["--overwrite", "replace the output if it is there"],
    ...compressionOptions,
  ],
  examples: ["perigee export 6f3a web.aci", "perigee export --app web --overwrite 6f3a web.aci"],
  notes: ["3: there is no such pod or app", "6: the pod has not ended, or OUTPUT is there"],
  run: async ({ args: [pod = "", output = ""], options, settings, signal }) => {
    const exported = await exportApp(settings, {
      pod,
      output,
      app: options.text("app"),
      overwrite: options.flag("overwrite"),
      compression: compressionOf(options),
      signal,
    });
    settings.log.info(wroteFile(exported));
    return exported;
  },
  text: ({ path }) => [printable(path)],
});
