/**
 * Changes of an image manifest, made in its JSON: what they do not name stays, fields that we do not know included. Knows
 * nothing of where changes come from.
 */
import { Failure } from "../base/failure.ts";
import { parseStrictJson } from "../schema/strict-json.ts";

export interface NamedItem {
  readonly name: string;
  readonly [field: string]: unknown;
}

export interface ManifestChanges {
  readonly name?: string | undefined;
  /** Replaces the command; makes an app where there is none. */
  readonly exec?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  /** Replace those that there are. */
  readonly supplementaryGIDs?: readonly number[] | undefined;
  /** Each replaces the one with its name, or is added. */
  readonly mountPoints: readonly NamedItem[];
  readonly ports: readonly NamedItem[];
  /** As these; sets of capabilities replace each other, and so do sets of system calls. */
  readonly isolators: readonly NamedItem[];
}

type JsonObject = { [key: string]: unknown };

/** Isolators that exclude each other (ACE-33, ACE-39). */
const rivals: readonly (readonly string[])[] = [
  ["os/linux/capabilities-retain-set", "os/linux/capabilities-remove-set"],
  ["os/linux/seccomp-retain-set", "os/linux/seccomp-remove-set"],
];

/**
 * The manifest with the changes; the very same bytes when there is none.
 * @throws Failure USAGE for a change of an app that is not there; JSON_INVALID
 */
export function changeManifest(bytes: Buffer, changes: ManifestChanges): Buffer {
  const manifest = parseStrictJson(bytes, "manifest");
  if (!isObject(manifest) || isEmpty(changes)) return bytes;
  if (changes.name !== undefined) manifest["name"] = changes.name;
  if (changesApp(changes)) manifest["app"] = changeApp(manifest["app"], changes);
  return Buffer.from(JSON.stringify(manifest));
}

function changeApp(current: unknown, changes: ManifestChanges): JsonObject {
  if (!isObject(current) && changes.exec === undefined) {
    throw new Failure("USAGE", "the manifest has no app to change", {
      hint: 'give --exec "/path/to/program", --user and --group too, which make one',
    });
  }
  const app: JsonObject = isObject(current) ? current : {};
  const { exec, user, group, supplementaryGIDs } = changes;
  if (exec !== undefined) app["exec"] = exec;
  if (user !== undefined) app["user"] = user;
  if (group !== undefined) app["group"] = group;
  if (supplementaryGIDs !== undefined) {
    delete app["supplementaryGids"]; // the other spelling (ACI-34)
    app["supplementaryGIDs"] = supplementaryGIDs;
  }
  for (const list of ["mountPoints", "ports", "isolators"] as const) {
    if (changes[list].length > 0) app[list] = changes[list].reduce(withItem, listOf(app[list]));
  }
  return app;
}

/** The list with `item` in place of the first that it replaces, without the others. */
function withItem(items: readonly unknown[], item: NamedItem): readonly unknown[] {
  const names = rivals.find((group) => group.includes(item.name)) ?? [item.name];
  const isReplaced = (other: unknown): boolean =>
    isObject(other) && typeof other["name"] === "string" && names.includes(other["name"]);
  const at = items.findIndex(isReplaced);
  if (at < 0) return [...items, item];
  return items.flatMap((other, index) => (index === at ? [item] : isReplaced(other) ? [] : [other]));
}

function isEmpty(changes: ManifestChanges): boolean {
  return changes.name === undefined && !changesApp(changes);
}

function changesApp({ exec, user, group, supplementaryGIDs, mountPoints, ports, isolators }: ManifestChanges): boolean {
  const isOne = [exec, user, group, supplementaryGIDs].some((change) => change !== undefined);
  return isOne || mountPoints.length + ports.length + isolators.length > 0;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
