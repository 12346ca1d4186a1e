/** perigee run */
import { runPod } from "../../api/run.ts";
import { defineCommand } from "../command.ts";
import { appOptions, detachOptions, parseRunOptions, podOptions } from "../run-options.ts";
import { startPod } from "../start-pod.ts";

export default defineCommand({
  name: "run",
  kind: "run",
  passThrough: true,
  arguments: "[pod options] <image> [app options] [-- args... [---]] [<image> ...]",
  summary: "Run a pod of one or more images",
  description:
    "Finds each image in the store, or fetches and verifies it, and runs all of them as one pod. The exit status is that of the first app that failed. What stands behind -- is appended to the image's command; --- ends it before a further image.",
  options: [...podOptions, ...detachOptions],
  appOptions,
  examples: [
    "perigee run example.com/web:1.0.0",
    "perigee run --net=host example.com/web --memory 64Mi -- -v",
    "perigee run --interactive ./debian.aci --exec /bin/sh",
    "perigee run --pod-manifest pod.json",
    "perigee run --detach --volume data,kind=host,source=/srv/data example.com/db --mount volume=data,target=/var/lib/db",
  ],
  notes: [
    "the app's own status, 128+N when signal N ended it",
    "125: perigee failed, or the output could not be written",
    "126: the program is not executable",
    "127: the program is not there",
  ],
  async run({ args, settings, signal, format }) {
    const { detach, ...options } = parseRunOptions(args);
    const pod = await runPod(settings, { ...options, foreground: !detach, signal });
    return await startPod(pod, { detach, settings, format });
  },
  text: (started) => [started.uuid],
});
