/** perigee gc */
import { collectGarbage } from "../../api/gc.ts";
import { defineCommand } from "../command.ts";
import { parseDuration } from "../durations.ts";

export default defineCommand({
  name: "gc",
  summary: "Remove pods that ended, what only they kept in the store, and old steps of recipes",
  description:
    "Pods that ended are marked first and removed once the grace period has passed since. What is left of a pod whose supervisor was killed is ended before anything is deleted.",
  options: [
    ["--grace-period <duration>", "how long pods that ended are kept", "30m"],
    ["--expire-prepared <duration>", "how long prepared pods that never ran are kept", "24h"],
    ["--expire-layers <duration>", "how long steps of recipes that no build used are kept", "336h"],
    ["--mark-only", "only mark pods as garbage"],
  ],
  examples: ["perigee gc", "perigee gc --grace-period=0s", "perigee gc --mark-only"],
  notes: ["1: a pod could not be removed; the next gc tries again"],
  run: ({ options, settings, signal }) =>
    collectGarbage(settings, {
      gracePeriodMs: parseDuration(options.text("grace-period") ?? "30m", "--grace-period"),
      expirePreparedMs: parseDuration(options.text("expire-prepared") ?? "24h", "--expire-prepared"),
      expireLayersMs: parseDuration(options.text("expire-layers") ?? "336h", "--expire-layers"),
      markOnly: options.flag("mark-only"),
      signal,
    }),
  text: (result) => [
    ...result.marked.map((uuid) => `marked ${uuid}`),
    ...result.removed.map((uuid) => `removed ${uuid}`),
    ...result.failed.map((pod) => `failed ${pod.uuid}: ${pod.reason}`),
    ...result.trees.map((tree) => `removed tree ${tree.slice(0, 24)}`),
    ...result.layers.map((layer) => `removed layer ${layer.slice(0, 24)}`),
    ...result.blobs.map((blob) => `removed blob ${blob.slice(0, 24)}`),
  ],
  status: (result) => (result.failed.length > 0 ? 1 : 0),
});
