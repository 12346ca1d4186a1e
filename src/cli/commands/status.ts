/** perigee status */

import { type PodStatus, podStatus } from "../../api/pods.ts";
import { readUuidFile } from "../../api/uuid-file.ts";
import { excerpt, printable } from "../../base/failure.ts";
import { defineCommand, type OptionValues } from "../command.ts";
import { versioned } from "../document.ts";
import { parseDuration } from "../durations.ts";
import { networkWords } from "../networks.ts";

export default defineCommand({
  name: "status",
  arguments: "[pod]",
  summary: "Show one pod: its state, its times, its apps' exit statuses",
  description:
    "POD is a uuid or its first digits, at least four, or the name that --pod-name gave. perigee logs shows what its apps printed.",
  options: [
    ["--wait [duration]", "wait until the pod has ended, for ever or this long"],
    ["--wait-ready [duration]", "wait until its apps are ready, for ever or this long"],
    ["--uuid-file <file>", "read the uuid from a file that run --uuid-file-save wrote"],
  ],
  examples: [
    "perigee status 6f3a",
    "perigee status --wait=30s 6f3a",
    "perigee status --wait-ready=1m 6f3a",
    "perigee status --format json 6f3a",
  ],
  notes: ["1: --wait or --wait-ready ran out of time, or the pod ended before it was ready", "3: there is no such pod"],
  run: async ({ args, options, settings, signal }) => {
    return await podStatus(settings, {
      pod: await readUuidFile(args, options.text("uuid-file")),
      wait: waitOption(options, "wait"),
      waitReady: waitOption(options, "wait-ready"),
      signal,
    });
  },
  json: versioned,
  text: (pod) => statusLines(pod),
});

function waitOption(options: OptionValues, name: string): "forever" | number | undefined {
  const text = options.text(name) ?? (options.flag(name) ? "true" : "false");
  if (text === "false") return undefined;
  return text === "true" || text === "" ? "forever" : parseDuration(text, `--${name}`);
}

/** `key=value` lines as rkt prints them. */
function statusLines(pod: PodStatus): readonly string[] {
  const hasEnded = pod.state === "exited" || pod.state === "exited garbage";
  return [
    `state=${pod.state}`,
    `uuid=${pod.uuid}`,
    ...(pod.name === undefined ? [] : [`name=${printable(pod.name)}`]),
    `directory=${pod.directory}`,
    `created=${pod.createdAt}`,
    ...(pod.startedAt === undefined ? [] : [`started=${pod.startedAt}`]),
    ...(pod.exitedAt === undefined ? [] : [`ended=${pod.exitedAt}`]),
    ...(pod.network === undefined ? [] : [`network=${pod.network}`]),
    ...((pod.networks ?? []).length === 0 ? [] : [`networks=${networkWords(pod)}`]),
    ...(pod.pid === undefined ? [] : [`pid=${pod.pid}`]),
    ...(pod.ready === undefined ? [] : [`ready=${pod.ready}`]),
    `exited=${hasEnded}`,
    ...pod.apps.flatMap(appLines),
  ];
}

function appLines(app: PodStatus["apps"][number]): readonly string[] {
  const { name, state, ready, text, exitStatus, postStopStatus, restarts, health } = app;
  return [
    ...(ready === undefined ? [] : [`app-${name}.ready=${ready}`]),
    ...(text === undefined ? [] : [`app-${name}.text=${excerpt(text)}`]),
    ...(state === "exited" ? [`app-${name}=${exitStatus ?? "unknown"}`] : []),
    ...(postStopStatus === undefined ? [] : [`app-${name}.post-stop=${postStopStatus}`]),
    ...(restarts === undefined
      ? []
      : [
          `app-${name}.restarts=${restarts.count}`,
          `app-${name}.last-exit=${restarts.lastExitStatus} ${restarts.lastExitedAt}`,
        ]),
    ...(state === "restarting" ? [`app-${name}.state=restarting`] : []),
    ...(health === undefined ? [] : healthLines(`app-${name}.health`, health)),
  ];
}

function healthLines(key: string, health: NonNullable<PodStatus["apps"][number]["health"]>): readonly string[] {
  const { state, failingStreak, lastStatus, lastOutput } = health;
  return [
    `${key}=${state}`,
    `${key}.failing-streak=${failingStreak}`,
    ...(lastStatus === undefined ? [] : [`${key}.last-status=${lastStatus}`]),
    ...(lastOutput === "" ? [] : [`${key}.last-output=${printable(lastOutput.trimEnd())}`]),
  ];
}
