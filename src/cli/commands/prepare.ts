/** perigee prepare */
import { preparePod } from "../../api/prepare.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { appOptions, parsePrepareOptions, prepareOptions } from "../run-options.ts";

export default defineCommand({
  name: "prepare",
  passThrough: true,
  arguments: "[pod options] <image> [app options] [-- args... [---]] [<image> ...]",
  summary: "Prepare a pod of one or more images, to be run later",
  description:
    "Does all of run that needs the images: they are found or fetched, verified and rendered, and everything about the pod is decided but how it starts. Prints the uuid; perigee run-prepared UUID runs it, once. A prepared pod keeps its images in the store until it is removed, by perigee rm, or by perigee gc after a day.",
  options: prepareOptions,
  appOptions,
  examples: [
    "perigee prepare example.com/web:1.0.0",
    "perigee run-prepared $(perigee prepare --quiet example.com/web -- -v)",
    "perigee prepare --pod-manifest pod.json",
  ],
  async run({ args, settings, signal }) {
    const { uuid, warnings } = await preparePod(settings, { ...parsePrepareOptions(args), signal });
    for (const warning of warnings) settings.log.warn(printable(warning));
    return { uuid };
  },
  text: ({ uuid }) => [uuid],
});
