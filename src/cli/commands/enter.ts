/** perigee enter */
import { enterPod } from "../../api/enter.ts";
import { Failure } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  name: "enter",
  kind: "run",
  endsWithCommand: true,
  arguments: "<pod> [command] [args...]",
  summary: "Run a command in an app of a running pod",
  description:
    "The command runs beside the app, in all of its confinement: its root, user, environment, limits, capabilities and filter. Without a command a shell is started: /bin/bash if the app has it, else /bin/sh. With a terminal at standard input and output the command has one of its own. POD is a uuid or its first digits, at least four, or the name that --pod-name gave; flags stand before it.",
  options: [["--app <name>", "the app to enter, where the pod has several"]],
  examples: [
    "perigee enter 6f3a",
    "perigee enter --app db 6f3a psql -U postgres",
    "perigee enter 6f3a cat /etc/hosts > hosts",
  ],
  notes: [
    "the command's own status, 128+N when signal N ended it; 137 when the pod ended",
    "125: perigee failed, or the pod or the app does not run",
    "126: the command is not executable",
    "127: the command is not there",
  ],
  async run({ args, options, settings, format }) {
    const [pod, ...command] = args;
    if (pod === undefined) throw new Failure("USAGE", "one pod is needed", { hint: "perigee list shows the uuids" });
    const app = await enterPod(settings, { pod, app: options.text("app"), command });
    return app.replace({ report: format === "json" ? "json" : "text" });
  },
  text: () => [],
});
