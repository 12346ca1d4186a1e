/** Whether what an image has at the target of a mount lets it be mounted there. Looks only; the shim resolves targets again by itself. */
import { Failure, printable } from "../base/failure.ts";
import type { TreeRoot } from "../store/stack.ts";
import { statInRoot } from "./in-root.ts";
import { isAtOrBelow } from "./paths.ts";
import type { SourceType } from "./volume-sources.ts";

export interface TargetRequest {
  readonly app: string;
  readonly volume: string;
  /** Absolute. */
  readonly target: string;
  readonly type: SourceType;
}

/**
 * A directory is mounted on a directory, a file on anything else, and what is missing is made (POD-31).
 * @throws Failure MANIFEST_INVALID when the image has the other kind there, or a file above it
 */
export function requireTargets(rootfs: TreeRoot, requests: readonly TargetRequest[]): void {
  for (const request of requests) {
    // Below /dev nothing is the image's (T-R15).
    if (isAtOrBelow(request.target, "/dev")) continue;
    const parts = request.target.split("/").filter((part) => part !== "");
    parts.forEach((_, index) => {
      const path = `/${parts.slice(0, index + 1).join("/")}`;
      const isTarget = index + 1 === parts.length;
      requireKind(rootfs, request, path, isTarget ? request.type : "directory");
    });
  }
}

function requireKind(rootfs: TreeRoot, request: TargetRequest, path: string, wanted: SourceType): void {
  const stat = statInRoot(rootfs, path);
  if (stat === undefined || stat.isDirectory() === (wanted === "directory")) return;
  const found = stat.isDirectory() ? "a directory" : "a file";
  const where = path === request.target ? "there" : `at ${printable(path)}`;
  throw new Failure(
    "MANIFEST_INVALID",
    `${request.app}: volume ${request.volume}, a ${request.type}, cannot be mounted at ${printable(request.target)}`,
    {
      subject: request.target,
      cause: `the image has ${found} ${where}`,
      hint: `--mount volume=${request.volume},target=/another/place`,
    },
  );
}
