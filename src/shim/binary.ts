/** Where perigee-shim is. Reads no environment: api/settings hands an explicit path in through setShimPath. */
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { Failure } from "../base/failure.ts";
import { moduleDirectory } from "./module-directory.ts";

const program = "perigee-shim";
/** Directories above this module that are looked through: build/src/shim in a checkout is the deepest. */
const levels = 4;

let found: string | undefined;

/**
 * Path of perigee-shim: beside the bundle (dist/), else native/build of the checkout.
 * @throws Failure SHIM_MISSING with the build command as hint
 */
export function shimPath(): string {
  found ??= placesOf(program, join("native", "build", program)).find(isFile);
  if (found === undefined) {
    throw new Failure("SHIM_MISSING", `${program}, the native part of perigee, is not there`, {
      subject: program,
      hint: "npm run build",
    });
  }
  return found;
}

/** The command `perigee` itself: beside the bundle, else in dist/ of the checkout. @throws Failure SHIM_MISSING */
export function commandPath(): string {
  const path = placesOf("perigee", join("dist", "perigee")).find(isFile);
  if (path !== undefined) return path;
  throw new Failure("SHIM_MISSING", "the command perigee is not there", { subject: "perigee", hint: "npm run build" });
}

/** From now on `path` is the shim: for tests, and for what the user configured. */
export function setShimPath(path: string): void {
  found = path;
}

function placesOf(...names: readonly string[]): readonly string[] {
  const paths: string[] = [];
  let directory = moduleDirectory();
  for (let level = 0; level < levels; level++) {
    paths.push(...names.map((name) => join(directory, name)));
    directory = dirname(directory);
  }
  return paths;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
