/** perigee cat-manifest */
import { showPodManifest } from "../../api/cat-manifest.ts";
import { readUuidFile } from "../../api/uuid-file.ts";
import { defineCommand } from "../command.ts";
import { documentLines, prettyPrintOptions } from "../document.ts";

export default defineCommand({
  name: "cat-manifest",
  arguments: "[pod]",
  summary: "Print the manifest of a pod",
  description:
    "The pod manifest as it was decided when the pod was prepared: what the images, the command line or --pod-manifest said, with a volume for every mount point. Values of variables are shown.",
  options: [...prettyPrintOptions, ["--uuid-file <file>", "read the uuid from a file that run --uuid-file-save wrote"]],
  examples: ["perigee cat-manifest 6f3a", "perigee cat-manifest --pretty-print=false 6f3a"],
  notes: ["3: there is no such pod", "6: the pod is still being prepared, or damaged"],
  run: async ({ args, options, settings }) => {
    const bytes = await showPodManifest(settings, { pod: await readUuidFile(args, options.text("uuid-file")) });
    const manifest: unknown = JSON.parse(bytes.toString("utf8"));
    return manifest;
  },
  text: (manifest, { options }) => documentLines(manifest, options),
});
