/** perigee logs */
import { podLogs } from "../../api/logs.ts";
import { readUuidFile } from "../../api/uuid-file.ts";
import { excerpt, Failure } from "../../base/failure.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { parseMoment } from "../durations.ts";
import { logPrinter } from "../log-lines.ts";

export default defineCommand({
  name: "logs",
  arguments: "[pod]",
  summary: "Show what the apps of a pod printed",
  description:
    "Lines of standard output and standard error, by their times; with several apps each begins with its app's name. They are kept from the start of the pod until it is removed, within 32 MiB for each app: the oldest go first. On a terminal control characters are shown as \\xNN; elsewhere the bytes are as the app wrote them. Apps with a terminal (--interactive) have no log. POD is a uuid or its first digits, at least four, or the name that --pod-name gave.",
  options: [
    ["--app <name>*", "only of this app"],
    ["-f, --follow", "go on with what is printed until the apps have ended"],
    ["--since <time>", "only lines from this time on: RFC 3339, seconds since 1970, or how long ago (10m)"],
    ["--until <time>", "only lines before this time"],
    ["--tail <lines>", "only the last lines of each app", "all"],
    ["--timestamps", "begin each line with its time"],
    ["--stream <stdout|stderr>", "only what was printed there"],
    ["--uuid-file <file>", "read the uuid from a file that run --uuid-file-save wrote"],
  ],
  examples: [
    "perigee logs 6f3a",
    "perigee logs --follow --tail 20 --timestamps web",
    "perigee logs --app db --since 10m --format json 6f3a",
  ],
  notes: ["3: there is no such pod", "6: the pod has not run, or the app has no log"],
  async run(context) {
    const { args, options, settings, signal } = context;
    const logs = await podLogs(settings, {
      pod: await readUuidFile(args, options.text("uuid-file")),
      apps: options.list("app"),
      follow: options.flag("follow"),
      since: moment(context, "since"),
      until: moment(context, "until"),
      tail: tailOf(options.text("tail")),
      stream: streamOf(options.text("stream")),
      signal,
    });
    const { format, isTerminal, write } = context;
    const print = logPrinter({ format, isTerminal, apps: logs.apps, timestamps: options.flag("timestamps") });
    for await (const lines of logs.lines) await write(print(lines));
    return undefined;
  },
  text: () => [],
  json: () => undefined,
});

function moment({ options }: CommandContext, name: string): Date | undefined {
  const text = options.text(name);
  return text === undefined ? undefined : parseMoment(text, `--${name}`);
}

function tailOf(text: string | undefined): number | undefined {
  if (text === undefined || text === "all") return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Failure("USAGE", `--tail takes a number of lines, not ${excerpt(text)}`, { hint: "--tail 100, or all" });
}

function streamOf(text: string | undefined): "stdout" | "stderr" | undefined {
  if (text === undefined || text === "stdout" || text === "stderr") return text;
  throw new Failure("USAGE", `--stream is stdout or stderr, not ${excerpt(text)}`, { hint: "--stream stderr" });
}
