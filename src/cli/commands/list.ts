/** perigee list */
import { listPods, type PodStatus } from "../../api/pods.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { versioned } from "../document.ts";
import { networkWords } from "../networks.ts";
import { formatTable, humanAge } from "../tables.ts";

/** An end that nobody saw is not 0 (LIFE-16). */
function exitOf(app: PodStatus["apps"][number] | undefined): string {
  if (app === undefined || app.state !== "exited") return "";
  return String(app.exitStatus ?? "unknown");
}

function podCells(pod: PodStatus, time: (text: string | undefined) => string): readonly string[] {
  return [pod.state, time(pod.createdAt), time(pod.startedAt), networkWords(pod), printable(pod.name ?? "")];
}

export default defineCommand({
  name: "list",
  summary: "List pods and their apps",
  description: "Shows every pod that was not removed yet. Further apps of a pod stand on rows of their own below it.",
  options: [
    ["--no-legend", "no header line"],
    ["--full", "whole uuids and image IDs, absolute times"],
  ],
  examples: ["perigee list", "perigee list --full", "perigee list --format json"],
  run: async ({ settings }) => {
    const pods = await listPods(settings);
    if (pods.length === 0 && !settings.caller.isRoot) {
      settings.log.info(`no pods of yours in ${settings.directories.data}; those of root: sudo perigee list`);
    }
    return pods;
  },
  json: (pods) => pods.map(versioned),
  text: (pods, { options }) => {
    const full = options.flag("full");
    const now = new Date();
    const time = (text: string | undefined) => (text === undefined ? "" : full ? text : humanAge(new Date(text), now));
    const rows = pods.flatMap((pod) => {
      const apps = pod.apps.length > 0 ? pod.apps : [undefined];
      return apps.map((app, index) => [
        ...(index > 0 ? [""] : [full ? pod.uuid : pod.uuid.slice(0, 8)]),
        app?.name ?? "",
        printable(app?.image.name ?? ""),
        exitOf(app),
        ...(full ? [app?.image.id.slice(0, 19) ?? ""] : []),
        ...(index > 0 ? ["", "", "", "", ""] : podCells(pod, time)),
      ]);
    });
    const headers = [
      "UUID",
      "APP",
      "IMAGE NAME",
      "EXIT",
      ...(full ? ["IMAGE ID"] : []),
      "STATE",
      "CREATED",
      "STARTED",
      "NETWORK",
      "NAME",
    ];
    return formatTable(headers, rows, { legend: options.flag("legend") });
  },
});
