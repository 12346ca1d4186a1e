/** Several places for one image: the first that has it and passes every check is taken. Which checks those are is not known here. */
import { exitStatus, Failure } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import type { Location } from "./locate.ts";

/** Of this machine or its user, not of a place. */
const notOfPlace: ReadonlySet<string> = new Set([
  "INTERRUPTED",
  "DISK_FULL",
  "IO_FAILED",
  "NOT_ROOT",
  "USAGE",
  "INTERNAL",
]);

/** Exit statuses, the one that matters most first: bad content, trust, network, a broken rule, not there. */
const gravity = [5, 4, 7, 1, 3];

/**
 * What `take` made of the first location that it did not refuse. A place that served something bad is told about, and the next is asked.
 * @throws the gravest Failure; with several places its cause lists them all
 */
export async function firstOf<T>(
  locations: readonly Location[],
  log: Log,
  take: (location: Location) => Promise<T>,
): Promise<T> {
  const failures: Failure[] = [];
  for (const [index, location] of locations.entries()) {
    try {
      return await take(location);
    } catch (error) {
      if (!(error instanceof Failure) || notOfPlace.has(error.code)) throw error;
      failures.push(error);
      if (index < locations.length - 1) log.warn(`${error.message}; trying the next place`);
    }
  }
  throw gravest(failures);
}

function gravest(failures: readonly Failure[]): Failure {
  const [first] = [...failures].sort((a, b) => rank(a) - rank(b));
  if (first === undefined) return new Failure("INTERNAL", "no place was tried");
  if (failures.length === 1) return first;
  const cause = failures.map(({ message }) => message).join("; ");
  return new Failure(first.code, first.message, { subject: first.subject, hint: first.hint, cause });
}

function rank(failure: Failure): number {
  const place = gravity.indexOf(exitStatus(failure));
  return place === -1 ? gravity.length : place;
}
