/** The clock for waits and time limits, which no change of the date moves (LIFE-114). `Date` is for times that are told or compared with those of files. */

/** Milliseconds since some moment before this process began. Node's `performance` would have to be loaded first. */
export function steadyNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
