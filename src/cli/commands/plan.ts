/** perigee plan */
import { planPod } from "../../api/plan.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { appOptions, parseRunOptions, podOptions } from "../run-options.ts";

export default defineCommand({
  name: "plan",
  passThrough: true,
  arguments: "[pod options] <image> [app options] [-- args... [---]] [<image> ...]",
  summary: "Show what run would do, and do nothing",
  description:
    "Takes the options of run. Images that are not stored are fetched. The uuid and the user ids shown are examples: a pod gets its own when it runs.",
  options: podOptions,
  appOptions,
  examples: ["perigee plan example.com/web:1.0.0", "perigee plan --format json --net=host example.com/web"],
  run: ({ args, settings, signal }) => planPod(settings, { ...parseRunOptions(args), signal }),
  text: (plan) => [
    ...plan.topics.flatMap(({ topic, lines }) => [topic, ...lines.map((line) => `  ${printable(line)}`)]),
    ...(plan.warnings.length > 0 ? ["Warnings", ...plan.warnings.map((warning) => `  ${printable(warning)}`)] : []),
  ],
});
