/** perigee rm */
import { removePods } from "../../api/pods.ts";
import { podsFrom } from "../../api/uuid-file.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  name: "rm",
  arguments: "[pod...]",
  summary: "Remove pods that have ended",
  options: [["--uuid-file <file>", "read the uuid from a file that run --uuid-file-save wrote"]],
  examples: ["perigee rm 6f3a", "perigee rm --uuid-file /run/web.uuid"],
  notes: ["3: there is no such pod", "6: the pod still runs"],
  run: async ({ args, options, settings }) =>
    await removePods(settings, { pods: await podsFrom(args, options.text("uuid-file")) }),
  text: (removed) => removed.map((pod) => pod.uuid),
});
