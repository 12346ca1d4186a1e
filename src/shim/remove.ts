/** Removes trees through perigee-shim: by descriptor, never through a link, never across a mount. */
import { Failure } from "../base/failure.ts";
import { answerOf, startVerb, type VerbOptions } from "./child.ts";

/** Names handed to one process, far below what one command line holds. */
const namesAtOnce = 256;

/**
 * Removes trees by name below `directory`; missing is success. All are tried before the first failure is thrown.
 * @throws Failure SHIM_FAILED naming the tree; with cause EXDEV when something is mounted in it
 */
export async function removeTrees(
  directory: string,
  names: readonly string[],
  options: Pick<VerbOptions, "asPodRoot"> = {},
): Promise<void> {
  const bad = names.find((name) => name === "" || name === "." || name === ".." || name.includes("/"));
  if (bad !== undefined)
    throw new Failure("INTERNAL", "a tree is removed by its name in one directory", { subject: bad });
  let first: unknown;
  for (let at = 0; at < names.length; at += namesAtOnce) {
    await answerOf(startVerb("remove", names.slice(at, at + namesAtOnce), directory, options)).catch(
      (error: unknown) => {
        first ??= error;
      },
    );
  }
  if (first !== undefined) throw first;
}
