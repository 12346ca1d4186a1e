/** `Healthcheck` of a config as the isolator `perigee/health-check` (OCI-70): what is asked of the app. What becomes of an unhealthy one it cannot say. Pure. */
import { excerpt } from "../base/failure.ts";
import { isObject } from "../base/objects.ts";
import type { IsolatorValue } from "../schema/isolators.ts";

const name = "perigee/health-check";

export interface HealthIsolator {
  readonly name: typeof name;
  readonly value: IsolatorValue<typeof name>;
}

/** Nanoseconds in a second, and what the schema takes (LIFE-65). */
const nanoseconds = 1e9;
const [leastSeconds, mostSeconds, mostRetries] = [0.001, 86_400, 9999];

/** Undefined for none, and for one that cannot be understood, with a warning. */
export function mapHealth(healthcheck: unknown, warnings: string[]): HealthIsolator | undefined {
  if (!isObject(healthcheck)) return undefined;
  const test = healthcheck["Test"];
  // Without a test it is that of the image that was built upon, which its builder wrote into this config.
  if (test === undefined || test === null || (Array.isArray(test) && test.length === 0)) return undefined;
  const command = commandOf(test);
  if (command === undefined) {
    warnings.push(
      `the health check ${excerpt(JSON.stringify(test))} is left out: it is neither CMD, CMD-SHELL nor NONE`,
    );
    return undefined;
  }
  const retries = healthcheck["Retries"];
  const value = {
    command,
    ...secondsOf(healthcheck, "Interval", "interval", leastSeconds, warnings),
    ...secondsOf(healthcheck, "Timeout", "timeout", leastSeconds, warnings),
    ...secondsOf(healthcheck, "StartPeriod", "startPeriod", 0, warnings),
    // 0 is the default, as of the times.
    ...(typeof retries === "number" && Number.isInteger(retries) && retries > 0
      ? { retries: Math.min(retries, mostRetries) }
      : {}),
  };
  return { name, value };
}

function commandOf(test: unknown): string[] | undefined {
  if (!Array.isArray(test) || !test.every((word): word is string => typeof word === "string")) return undefined;
  const [kind, ...words] = test;
  if (kind === "NONE") return [];
  if (words[0] === undefined || words[0] === "" || words.length > mostWords) return undefined;
  if (kind === "CMD") return words;
  return kind === "CMD-SHELL" ? ["/bin/sh", "-c", words.join(" ")] : undefined;
}

const mostWords = 1024;

function secondsOf(
  fields: Readonly<Record<string, unknown>>,
  from: string,
  to: string,
  least: number,
  warnings: string[],
): Readonly<Record<string, number>> {
  const value = fields[from];
  if (value === undefined || value === null || value === 0) return {};
  if (typeof value === "number" && value > 0) {
    return { [to]: Math.min(Math.max(value / nanoseconds, least), mostSeconds) };
  }
  warnings.push(`${from} of the health check is left out: it is no time`);
  return {};
}
