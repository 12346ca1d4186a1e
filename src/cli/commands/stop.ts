/** perigee stop */
import { stopPods } from "../../api/stop.ts";
import { podsFrom } from "../../api/uuid-file.ts";
import { defineCommand } from "../command.ts";
import { parseDuration } from "../durations.ts";

export default defineCommand({
  name: "stop",
  arguments: "[pod...]",
  summary: "Stop running pods",
  description:
    "Asks the apps to end with SIGTERM; what still runs after the time-out is killed. A pod that has ended already is no error.",
  options: [
    ["--force", "kill at once"],
    ["--timeout <duration>", "wait this long before killing", "10s"],
    ["--uuid-file <file>", "read the uuid from a file that run --uuid-file-save wrote"],
  ],
  examples: ["perigee stop 6f3a", "perigee stop --timeout 30s 6f3a 91bc", "perigee stop --force 6f3a"],
  notes: ["3: there is no such pod", "6: the pod is still being prepared"],
  run: async ({ args, options, settings, signal }) =>
    await stopPods(settings, {
      pods: await podsFrom(args, options.text("uuid-file")),
      force: options.flag("force"),
      timeoutMs: parseDuration(options.text("timeout") ?? "10s", "--timeout"),
      signal,
    }),
  text: (stopped) => stopped.map((pod) => pod.uuid),
});
