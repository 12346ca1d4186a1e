/** User and groups of an app as `User` of a config (OCI-83): the counterpart of user.ts. Whom a path means is looked up, since OCI has no such word. */
import { excerpt, Failure } from "../base/failure.ts";
import type { App } from "../schema/app.ts";
import type { NotedFile } from "./export-layer.ts";
import { mapUser } from "./user.ts";

/** What the tree has at a path (one character a byte, relative), as far as it was noted. */
export type TreeOwners = (path: string) => NotedFile | undefined;

const databases = ["etc/passwd", "etc/group"];

/** Paths that outgoingUser asks for. */
export function wantedPaths(app: App | undefined): ReadonlyMap<string, "owner" | "content"> {
  const wanted = new Map<string, "owner" | "content">(databases.map((path) => [path, "content"]));
  for (const word of [app?.user ?? "", app?.group ?? ""]) {
    const path = pathOf(word);
    if (path !== undefined && !wanted.has(path)) wanted.set(path, "owner");
  }
  return wanted;
}

/** A user or group that is a path is the owner of that file (ACI-32). */
function pathOf(word: string): string | undefined {
  if (word[0] !== "/") return undefined;
  const parts = word.split("/").filter((part) => part !== "" && part !== ".");
  return Buffer.from(parts.join("/")).toString("latin1");
}

/**
 * The user alone where the image's own files give it the same groups, for then it has them all; else `USER:GROUP`.
 * @throws Failure UNSUPPORTED for an owner of what is not in the image: somebody else would run in his place
 */
export function outgoingUser(app: App, owners: TreeOwners, lost: (what: string) => void): string {
  const user = wordOf(app.user, owners, "uid");
  const group = wordOf(app.group, owners, "gid");
  const own = mapUser(user, (path) => owners(path)?.content);
  const wanted = new Set(app.supplementaryGIDs);
  const has = new Set(own.supplementaryGIDs ?? []);
  const isSame =
    own.user === user && own.group === group && wanted.size === has.size && [...wanted].every((id) => has.has(id));
  if (isSame) return user;
  if (wanted.size > 0) lost(`supplementaryGIDs: ${[...wanted].join(", ")}`);
  return `${user}:${group}`;
}

function wordOf(word: string, owners: TreeOwners, id: "uid" | "gid"): string {
  const path = pathOf(word);
  const found = path === undefined ? undefined : owners(path);
  if (found !== undefined) return String(found[id]);
  if (path === undefined && !/[:\n]/.test(word)) return word;
  const cause =
    path === undefined ? "OCI has no such name" : "the image has no such file, whose owner is meant (ACI-32)";
  throw new Failure("UNSUPPORTED", `the user or group ${excerpt(word)} cannot be said in an OCI config`, { cause });
}
