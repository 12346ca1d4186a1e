/** Health checks of an app: the flags `--health-…` and the isolator `perigee/health-check` (LIFE-65). Pure. */
import { excerpt, Failure } from "../base/failure.ts";
import type { IsolatorValue } from "../schema/isolators.ts";
import type { HealthPlan, RestartPlan } from "../shim/stages.ts";
import { type Level, lastValue, say } from "./isolator-level.ts";

export interface HealthFlags {
  /** A shell line, a JSON array of words (perhaps after `CMD` or `CMD-SHELL`), or `none`. */
  readonly healthCommand?: string | undefined;
  /** Milliseconds, as the other times. */
  readonly healthInterval?: number | undefined;
  readonly healthTimeout?: number | undefined;
  readonly healthStartPeriod?: number | undefined;
  readonly healthRetries?: string | undefined;
  readonly healthOnFailure?: string | undefined;
}

const name = "perigee/health-check";
type Value = IsolatorValue<typeof name>;

/** As podman and docker have them; seconds. */
const defaultSeconds = 30;
const defaultRetries = 3;

/** Undefined without any of the flags; an empty command for `none`. @throws Failure USAGE */
export function parseHealth(flags: HealthFlags): Value | undefined {
  const { healthCommand, ...others } = flags;
  const isSaid = Object.values(others).some((value) => value !== undefined);
  if (healthCommand === undefined) {
    if (!isSaid) return undefined;
    throw new Failure("USAGE", "the flags --health-… are for an app with --health-cmd", {
      hint: "--health-cmd 'LINE'",
    });
  }
  return {
    command: parseCommand(healthCommand),
    ...seconds("--health-interval", "interval", flags.healthInterval, 1),
    ...seconds("--health-timeout", "timeout", flags.healthTimeout, 1),
    ...seconds("--health-start-period", "startPeriod", flags.healthStartPeriod, 0),
    ...(flags.healthRetries === undefined ? {} : { retries: retries(flags.healthRetries) }),
    ...(flags.healthOnFailure === undefined ? {} : { onFailure: action(flags.healthOnFailure) }),
  };
}

function parseCommand(text: string): string[] {
  if (text === "none") return [];
  if (!/^\s*\[/.test(text)) return shell(text);
  let words: unknown;
  try {
    words = JSON.parse(text);
  } catch {
    throw badCommand(text);
  }
  if (!Array.isArray(words) || !words.every((word): word is string => typeof word === "string")) throw badCommand(text);
  const [first, ...others] = words;
  if (first === "NONE" && others.length === 0) return [];
  if (first === "CMD-SHELL") return shell(others.join(" "));
  const command = first === "CMD" ? others : words;
  if (command[0] === undefined || command[0] === "") throw badCommand(text);
  return command;
}

function shell(line: string): string[] {
  if (line.trim() === "") throw badCommand(line);
  return ["/bin/sh", "-c", line];
}

function badCommand(text: string): Failure {
  return new Failure("USAGE", `--health-cmd ${excerpt(text)}: a shell line, or a JSON array of words`, {
    subject: text,
    hint: `--health-cmd '["/bin/check", "--quick"]'`,
  });
}

/** Within what the schema takes. */
const mostSeconds = 86_400;

function seconds(flag: string, field: "interval" | "timeout" | "startPeriod", ms: number | undefined, least: number) {
  if (ms === undefined) return {};
  if (ms >= least && ms <= mostSeconds * 1000) return { [field]: ms / 1000 };
  throw new Failure("USAGE", `${flag}: from ${least} ms to a day`, { subject: flag });
}

function retries(text: string): number {
  if (/^[1-9][0-9]{0,3}$/.test(text)) return Number(text);
  throw new Failure("USAGE", `--health-retries ${excerpt(text)}: a number from 1 to 9999`, { subject: text });
}

function action(text: string): "none" | "kill" | "restart" {
  if (text === "none" || text === "kill" || text === "restart") return text;
  throw new Failure("USAGE", `--health-on-failure ${excerpt(text)}: none, kill or restart`, { subject: text });
}

/** What an image says is asked of the app, as docker does it; that the app is ended for it says whoever runs it. */
export function decideHealth(level: Level): HealthPlan | undefined {
  const value = lastValue(level, name);
  if (value === undefined) return undefined;
  const { command, interval = defaultSeconds, timeout = defaultSeconds, startPeriod = 0 } = value;
  const { retries = defaultRetries, onFailure = "none" } = value;
  if (command.length === 0) {
    say(level, name, "enforced", "not checked");
    return undefined;
  }
  const isOverruled = level.fromImage.has(name) && onFailure !== "none";
  const plan: HealthPlan = {
    command,
    interval: Math.ceil(interval * 1000),
    timeout: Math.ceil(timeout * 1000),
    startPeriod: Math.ceil(startPeriod * 1000),
    retries,
    action: isOverruled ? "none" : onFailure,
  };
  const why = isOverruled ? "; an image does not say what becomes of an unhealthy app" : "";
  say(level, name, isOverruled ? "modified" : "enforced", `${healthWords(plan)}${why}`);
  return plan;
}

/** An app that is started again by its checks alone has a policy that says so. */
export function restartForHealth(restart: RestartPlan | undefined, health: HealthPlan | undefined) {
  if (restart !== undefined || health?.action !== "restart") return restart;
  return { policy: "unhealthy", most: 0, keepRoot: false } as const;
}

/** For people. */
export function healthWords({ interval, timeout, retries, action }: HealthPlan): string {
  const then = { none: "", kill: ", then it is killed", restart: ", then it is started again" }[action];
  return `checked every ${interval / 1000} s, ${timeout / 1000} s at most; unhealthy after ${retries} ${retries === 1 ? "failure" : "failures"}${then}`;
}
