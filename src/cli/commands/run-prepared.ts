/** perigee run-prepared */
import { runPreparedPod } from "../../api/run-prepared.ts";
import { readUuidFile } from "../../api/uuid-file.ts";
import { defineCommand } from "../command.ts";
import { detachOptions, startOf, startOptions, strictOption } from "../run-options.ts";
import { startPod } from "../start-pod.ts";

export default defineCommand({
  name: "run-prepared",
  kind: "run",
  arguments: "[pod]",
  summary: "Run a pod that was prepared",
  description:
    "POD is a uuid that perigee prepare printed, or its first digits, at least four. Nothing is fetched; that its images are signed by keys that are trusted now is checked as for run. A pod runs once: what is refused before the start leaves it prepared.",
  options: [
    ...startOptions,
    strictOption,
    ...detachOptions,
    ["--uuid-file <file>", "read the uuid from a file that prepare --uuid-file-save wrote"],
    ["--uuid-file-save <file>", "write the pod's uuid there just before it starts"],
  ],
  examples: ["perigee run-prepared 6f3a", "perigee run-prepared --net=host --detach 6f3a"],
  notes: [
    "the app's own status, 128+N when signal N ended it",
    "125: perigee failed, the pod is not prepared, or the output could not be written",
    "126: the program is not executable",
    "127: the program is not there",
  ],
  async run({ args, options, settings, signal, format }) {
    const detach = options.flag("detach");
    const pod = await runPreparedPod(settings, {
      ...startOf(options),
      strict: options.flag("strict"),
      pod: await readUuidFile(args, options.text("uuid-file")),
      uuidFile: options.text("uuid-file-save"),
      foreground: !detach,
      signal,
    });
    return await startPod(pod, { detach, settings, format });
  },
  text: (started) => [started.uuid],
});
