/** The one normal form of member names, over bytes: what is not plainly below the root is refused, never bent into place. */
import { Failure } from "../base/failure.ts";
import { showPath } from "./entry.ts";

export interface PathLimits {
  readonly pathLength: number;
  readonly componentLength: number;
  readonly depth: number;
}

const slash = 0x2f;
const dot = 0x2e;
const root = Buffer.from(".");

/**
 * `name` without `.` components, doubled and trailing slashes; `.` when nothing is left.
 * @throws Failure ARCHIVE_INVALID for an empty or absolute name, `..`, NUL (P01…P11, H01, H02, H10); LIMIT_EXCEEDED (P12…P14)
 */
export function normalisePath(name: Buffer, limits: PathLimits): Buffer {
  if (name.length > limits.pathLength) {
    throw new Failure("LIMIT_EXCEEDED", `a name has ${name.length} bytes, more than the ${limits.pathLength} allowed`);
  }
  if (name.length === 0) throw new Failure("ARCHIVE_INVALID", "an entry has an empty name");
  if (name[0] === slash) throw refused(name, "an absolute name");
  if (name.includes(0)) throw refused(name, "a NUL byte in the name");
  if (isNormal(name, limits)) return name;
  const components = componentsOf(name);
  return components.length === 0 ? root : joinPath(components);
}

/** Whether `name` is in normal form already; its parts are checked. Makes no buffer: it meets every entry of an archive. */
function isNormal(name: Buffer, limits: PathLimits): boolean {
  let depth = 0;
  let normal = true;
  for (let at = 0, start = 0; at <= name.length; at++) {
    if (at < name.length && name[at] !== slash) continue;
    const length = at - start;
    if (length === 2 && name[start] === dot && name[start + 1] === dot) throw refused(name, "a .. in the name");
    if (length > limits.componentLength) {
      throw new Failure("LIMIT_EXCEEDED", `a part of a name has ${length} bytes, more than ${limits.componentLength}`);
    }
    if (length === 0 || (length === 1 && name[start] === dot)) normal = false;
    else depth++;
    start = at + 1;
  }
  if (depth > limits.depth) {
    throw new Failure("LIMIT_EXCEEDED", `a name has ${depth} levels, more than the ${limits.depth} allowed`);
  }
  return normal;
}

/** The components that count. */
function componentsOf(name: Buffer): readonly Buffer[] {
  const components: Buffer[] = [];
  for (let at = 0; at <= name.length; ) {
    const found = name.indexOf(slash, at);
    const end = found < 0 ? name.length : found;
    const isCounted = end > at && !(end === at + 1 && name[at] === dot);
    if (isCounted) components.push(name.subarray(at, end));
    at = end + 1;
  }
  return components;
}

export function joinPath(components: readonly Buffer[]): Buffer {
  return Buffer.from(components.map((component) => component.toString("latin1")).join("/"), "latin1");
}

function refused(name: Buffer, what: string): Failure {
  return new Failure("ARCHIVE_INVALID", `${showPath(name)}: ${what}`, { subject: showPath(name) });
}
