/** Where trusted keys lie: the directories of a name and of every name (TRUST-1, TRUST-2). Knows nothing of what the files hold. */
import { Failure } from "../base/failure.ts";
import { listDirectory } from "./trusted-files.ts";

/** Where keys for one scope lie: path components below a configuration directory. */
export interface Place {
  readonly scope: string;
  readonly path: readonly string[];
}

export const rootPlace: Place = { scope: "root", path: ["trustedkeys", "root.d"] };
const prefixPath: readonly string[] = ["trustedkeys", "prefix.d"];
/** Prefix directories that a walk over all of them visits at most. */
const placeLimit = 4096;

/** Root keys, then the keys of every prefix of `name`, shortest first: `a/b` is covered by `a` and `a/b`, by nothing else (T-S15). */
export function placesFor(name: string): readonly Place[] {
  const parts = components(name);
  return [rootPlace, ...parts.map((_, index) => placeAt(parts.slice(0, index + 1)))];
}

/** @throws Failure USAGE */
export function prefixPlace(prefix: string): Place {
  return placeAt(components(prefix));
}

function placeAt(parts: readonly string[]): Place {
  return { scope: parts.join("/"), path: [...prefixPath, ...parts] };
}

/** Components of an ACIdentifier. One that could leave the directory cannot be in it; the check does not rely on that. */
function components(name: string): readonly string[] {
  const parts = name.split("/");
  if (parts.every((part) => /^[a-z0-9][a-z0-9._~-]*$/.test(part))) return parts;
  throw new Failure("USAGE", "not an image name or prefix", { subject: name, hint: "for example example.com/web" });
}

/** Root, and every prefix that has a directory. @throws Failure LIMIT_EXCEEDED, CONFIG_INVALID */
export function allPlaces(directories: readonly string[]): readonly Place[] {
  const places = [rootPlace];
  const found = new Map<string, readonly string[]>();
  const visit = (parts: readonly string[]): void => {
    if (found.size > placeLimit) throw new Failure("LIMIT_EXCEEDED", `more than ${placeLimit} trusted prefixes`);
    const names = new Set<string>();
    for (const base of directories) {
      for (const name of listDirectory(base, [...prefixPath, ...parts]).directories) names.add(name);
    }
    for (const name of names) {
      const below = [...parts, name];
      found.set(below.join("/"), below);
      visit(below);
    }
  };
  visit([]);
  for (const parts of found.values()) places.push(placeAt(parts));
  return places;
}
