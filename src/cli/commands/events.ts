/** perigee events */
import { type PodEvent, podEvents } from "../../api/events.ts";
import { excerpt, Failure, printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { parseDuration } from "../durations.ts";

export default defineCommand({
  name: "events",
  summary: "Show what happened to the pods that are there, and what happens",
  description:
    "One line an event, or one JSON object with --format json: created, prepared, started, app-started, app-ready, ready, app-exited, post-stop, exited, marked (by gc), removed. What happened before is what the files of pods tell: nothing of pods that are gone.",
  options: [
    ["--follow", "go on with what happens, until interrupted"],
    ["--since <time>", "only what happened since: a duration such as 10m, or an RFC 3339 time"],
  ],
  examples: ["perigee events", "perigee events --follow --since 0s", "perigee events --follow --format json"],
  notes: ["130: --follow was interrupted"],
  run: async ({ options, settings, signal, emit }) =>
    await podEvents(
      settings,
      { follow: options.flag("follow"), since: parseSince(options.text("since")), signal },
      (event) => emit(lineOf(event), event),
    ),
  text: () => [],
  json: () => undefined,
});

/** @throws Failure USAGE */
function parseSince(text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{4}-\d\d-\d\dT/.test(text)) return new Date(Date.now() - parseDuration(text, "--since"));
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time;
  throw new Failure("USAGE", `--since ${excerpt(text)} is no time`, { hint: "--since 2026-01-31T12:00:00Z" });
}

/** The time of what nobody saw is a dash as wide as a time. */
function lineOf({ time, event, uuid, name, app, image, status }: PodEvent): string {
  return [
    (time ?? "-").padEnd(24),
    uuid.slice(0, 8),
    event.padEnd(11),
    ...(app === undefined ? [] : [app]),
    ...(status === undefined ? [] : [`status=${status}`]),
    ...(image === undefined || event !== "app-started" ? [] : [`image=${printable(image)}`]),
    ...(name === undefined ? [] : [`pod=${printable(name)}`]),
  ]
    .join(" ")
    .trimEnd();
}
