/** What a build may not take away. */
import { Failure } from "../base/failure.ts";
import { showBytes } from "../store/stack.ts";

/** @throws Failure UNSUPPORTED: an image cannot say that a file of its dependency is gone, but for its whitelist */
export function refuseRemovals(inDependencies: (path: string) => boolean): (path: string) => void {
  return (path) => {
    if (!inDependencies(path)) return;
    throw new Failure("UNSUPPORTED", `/${showBytes(path)} was removed, but a dependency of the image has it`, {
      subject: `/${showBytes(path)}`,
      cause: "an image with dependencies holds what was added to them; what is removed would come back",
      hint: "use the image as base instead of as a dependency, or list what stays in pathWhitelist",
    });
  };
}
