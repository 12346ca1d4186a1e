/** What a request makes its answer depend on (RFC 9110, 13): whether it has the file already, and whether it is the one it means. Pure. */

export interface Conditions {
  readonly ifMatch?: string | undefined;
  readonly ifUnmodifiedSince?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly ifModifiedSince?: string | undefined;
}

/** The strong tag of what would be sent, and when it was put there. */
export interface Version {
  readonly etag: string;
  readonly modifiedAt: Date;
}

/** In the order of RFC 9110, 13.2.2: `failed` is 412, `not-modified` 304. A tag, when the client sent one, decides instead of the time. */
export function judge(conditions: Conditions, version: Version): "send" | "failed" | "not-modified" {
  const { ifMatch, ifUnmodifiedSince, ifNoneMatch, ifModifiedSince } = conditions;
  const modified = wholeSeconds(version.modifiedAt);
  const unmodifiedSince = parseHttpDate(ifUnmodifiedSince);
  if (ifMatch !== undefined) {
    if (!namesTag(ifMatch, version.etag, "strong")) return "failed";
  } else if (unmodifiedSince !== undefined && modified > unmodifiedSince) return "failed";
  if (ifNoneMatch !== undefined) return namesTag(ifNoneMatch, version.etag, "weak") ? "not-modified" : "send";
  const modifiedSince = parseHttpDate(ifModifiedSince);
  return modifiedSince !== undefined && modified <= modifiedSince ? "not-modified" : "send";
}

/**
 * Whether a range may be answered: If-Range is absent, or names exactly this version. A time says so only when it cannot have been the
 * time of two versions: a file that changed within the second before `now` may change in it again (RFC 9110, 8.8.2.2).
 */
export function isRangeValid(ifRange: string | undefined, version: Version, now: Date): boolean {
  if (ifRange === undefined || ifRange === version.etag) return true;
  const modified = wholeSeconds(version.modifiedAt);
  return parseHttpDate(ifRange) === modified && now.getTime() - modified >= 2000;
}

/** A list of entity tags or `*`. Commas may stand in a tag, so the list is read and not split. */
function namesTag(list: string, etag: string, comparison: "strong" | "weak"): boolean {
  if (list.trim() === "*") return true;
  for (const [, weak, tag] of list.matchAll(/(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g)) {
    if (tag === etag && (weak === undefined || comparison === "weak")) return true;
  }
  return false;
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const preferred = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}:\d{2}:\d{2}) GMT$/;
const rfc850 = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}:\d{2}:\d{2}) GMT$/;
const asctime = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}:\d{2}:\d{2}) (\d{4})$/;

/** Milliseconds, of the three forms that RFC 9110, 5.6.7 knows. Undefined for everything else: the condition is not there then. */
export function parseHttpDate(text: string | undefined): number | undefined {
  const [, day, month, year, time] = preferred.exec(text ?? "") ?? rfc850.exec(text ?? "") ?? [];
  if (day !== undefined) return timeOf(year, month, day, time);
  const [, otherMonth, otherDay, otherTime, otherYear] = asctime.exec(text ?? "") ?? [];
  return otherDay === undefined ? undefined : timeOf(otherYear, otherMonth, otherDay.trim(), otherTime);
}

function timeOf(year = "", month = "", day = "", time = ""): number | undefined {
  const number = months.indexOf(month) + 1;
  const full = year.length === 2 ? `${Number(year) < 70 ? "20" : "19"}${year}` : year;
  const milliseconds = Date.parse(
    `${full}-${String(number).padStart(2, "0")}-${day.padStart(2, "0")}T${time.replace(/60$/, "59")}Z`,
  );
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}

function wholeSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000) * 1000;
}
