/** Durations as rkt's users write them: `30m0s`, `24h`, `1h30m`, `500ms`; a bare number is seconds. */
import { Failure } from "../base/failure.ts";

const unit: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** Milliseconds. @throws Failure USAGE naming `flag` */
export function parseDuration(text: string, flag: string): number {
  if (/^\d{1,9}(\.\d{1,3})?$/.test(text)) return Math.round(Number(text) * 1000);
  if (!/^(\d{1,9}(\.\d{1,3})?(ms|s|m|h|d))+$/.test(text)) {
    throw new Failure("USAGE", `${flag} takes a duration, not ${JSON.stringify(text)}`, {
      subject: flag,
      hint: `${flag}=30s, 10m or 1h30m`,
    });
  }
  let total = 0;
  for (const [, number, , name] of text.matchAll(/(\d{1,9}(\.\d{1,3})?)(ms|s|m|h|d)/g))
    total += Number(number) * (unit.get(name ?? "") ?? 0);
  return Math.round(total);
}

/**
 * A time: RFC 3339, without a zone that of this machine, without a time the day's beginning; seconds since 1970; or how long ago, as a duration with units.
 * @throws Failure USAGE naming `flag`
 */
export function parseMoment(text: string, flag: string, now: Date = new Date()): Date {
  if (/^\d{1,11}(\.\d{1,9})?$/.test(text)) return new Date(Number(text) * 1000);
  const match = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)([Zz]|[+-]\d\d:\d\d)?)?$/.exec(text);
  if (match === null && /^\d[\d.a-z]*$/.test(text)) return new Date(now.getTime() - parseDuration(text, flag));
  const [, day, time = "00:00", zone = ""] = match ?? [];
  const date = new Date(`${day}T${time}${zone.toUpperCase()}`);
  if (match !== null && !Number.isNaN(date.getTime())) return date;
  throw new Failure("USAGE", `${flag} takes a time or a duration, not ${JSON.stringify(text)}`, {
    subject: flag,
    hint: `${flag} 2026-01-31T12:00:00Z, or ${flag} 10m for ten minutes ago`,
  });
}
