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
  const components = componentsOf(name, limits);
  if (components === undefined) return name;
  return components.length === 0 ? root : joinPath(components);
}

/** The components that count; undefined when `name` is in normal form already, which spares a copy. */
function componentsOf(name: Buffer, limits: PathLimits): Buffer[] | undefined {
  const components: Buffer[] = [];
  let isNormal = true;
  for (let at = 0; at <= name.length; ) {
    const found = name.indexOf(slash, at);
    const end = found < 0 ? name.length : found;
    const length = end - at;
    if (length === 2 && name[at] === dot && name[at + 1] === dot) throw refused(name, "a .. in the name");
    if (length > limits.componentLength) {
      throw new Failure("LIMIT_EXCEEDED", `a part of a name has ${length} bytes, more than ${limits.componentLength}`);
    }
    if (length === 0 || (length === 1 && name[at] === dot)) isNormal = false;
    else components.push(name.subarray(at, end));
    at = end + 1;
  }
  if (components.length > limits.depth) {
    throw new Failure(
      "LIMIT_EXCEEDED",
      `a name has ${components.length} levels, more than the ${limits.depth} allowed`,
    );
  }
  return isNormal ? undefined : components;
}

export function joinPath(components: readonly Buffer[]): Buffer {
  return Buffer.from(components.map((component) => component.toString("latin1")).join("/"), "latin1");
}

function refused(name: Buffer, what: string): Failure {
  return new Failure("ARCHIVE_INVALID", `${showPath(name)}: ${what}`, { subject: showPath(name) });
}
