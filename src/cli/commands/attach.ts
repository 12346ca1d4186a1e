/** perigee attach */
import { attachPod } from "../../api/attach.ts";
import { Failure } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { defaultDetachKeys, parseDetachKeys } from "../detach-keys.ts";

export default defineCommand({
  name: "attach",
  kind: "run",
  arguments: "<pod>",
  summary: "See what an app of a pod in the background prints, and type to it",
  description:
    "What the app writes from now on is printed; `perigee logs` shows what it wrote before. What is typed goes to an app that was started with `run --detach --interactive`, whose terminal gets the size of this one, or with `--stdin=stream`; others have no input. Leaving does nothing to the app, and several may be attached at once. Who is slower than the app misses output and is told how much. POD is a uuid or its first digits, at least four, or the name that --pod-name gave.",
  options: [
    ["--app <name>", "the app, where the pod has several"],
    ["--no-stdin", "only look: nothing that is typed goes to the app"],
    ["--close-stdin", "at the end of standard input the app's ends, too (a terminal gets ^D)"],
    [
      "--detach-keys <keys>",
      "typed one after the other on a terminal they end the attachment: letters, ctrl-a to ctrl-z and ctrl- with one of @ ^ [ \\ ] _, with commas between; empty: none do",
      defaultDetachKeys,
    ],
  ],
  examples: [
    "perigee run --detach --interactive --pod-name shell example.com/debian --exec /bin/sh && perigee attach shell",
    "perigee attach --no-stdin --app db 6f3a",
    "echo reload | perigee attach 6f3a",
    "perigee attach --close-stdin sorter < lines.txt > sorted.txt",
  ],
  notes: [
    "the app's own status, or 128+N, when it ended; 0 after the detach keys",
    "128+N: signal N ended the attachment; the app goes on",
    "125: perigee failed, or the pod or the app does not run, or takes nobody",
  ],
  async run({ args: [pod], options, settings, format }) {
    if (pod === undefined) throw new Failure("USAGE", "one pod is needed", { hint: "perigee list shows the uuids" });
    const isLooking = !options.flag("stdin");
    if (isLooking && options.flag("close-stdin")) {
      throw new Failure("USAGE", "--close-stdin and --no-stdin exclude each other", { hint: "leave one of them out" });
    }
    const app = await attachPod(settings, {
      pod,
      app: options.text("app"),
      input: isLooking ? "none" : options.flag("close-stdin") ? "end" : "keep",
      detachKeys: parseDetachKeys(options.text("detach-keys") ?? defaultDetachKeys),
    });
    return app.replace({ report: format === "json" ? "json" : "text" });
  },
  text: () => [],
});
