/**
 * The words of actool's patch-manifest as changes of a manifest. Pure; only the form is judged here, the schema judges what
 * becomes of it.
 */
import { Failure, printable } from "../base/failure.ts";
import type { ManifestChanges, NamedItem } from "./manifest-changes.ts";

/** As typed; absent and empty mean the same, as they do for actool. */
export interface ManifestFlags {
  readonly name?: string | undefined;
  /** Words parted by blanks. */
  readonly exec?: string | undefined;
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  /** `1000,2000` */
  readonly supplementaryGroups?: string | undefined;
  /** `CAP_CHOWN,CAP_KILL`: what is retained. */
  readonly capability?: string | undefined;
  /** What is removed. */
  readonly revokeCapability?: string | undefined;
  /** `work,path=/opt,readOnly=true[:work2,…]` */
  readonly mounts?: string | undefined;
  /** `query,protocol=tcp,port=8080[,count=N][,socketActivated=true][:query2,…]` */
  readonly ports?: string | undefined;
  /** `resource/cpu,request=50m,limit=100m[:os/linux/no-new-privileges,true]` */
  readonly isolators?: string | undefined;
  /** `retain` or `remove`, with `,errno=NAME` behind it or without. */
  readonly seccompMode?: string | undefined;
  readonly seccompSet?: string | undefined;
}

type Kind = "text" | "number" | "boolean";
type Fields = Readonly<Record<string, Kind>>;

const mountForm = "NAME,path=PATH[,readOnly=true|false][:NAME2,…]";
const portForm = "NAME,protocol=tcp,port=N[,count=N][,socketActivated=true|false][:NAME2,…]";
const isolatorForm = "resource/cpu,request=50m,limit=100m[:os/linux/no-new-privileges,true]";

const resource: Fields = { request: "text", limit: "text", default: "boolean" };
/** Isolators with one value, or with fields. Capabilities and system calls have flags of their own. */
const isolatorValues: ReadonlyMap<string, Kind | Fields | "pairs"> = new Map<string, Kind | Fields | "pairs">([
  ["resource/cpu", resource],
  ["resource/memory", resource],
  ["resource/block-bandwidth", resource],
  ["resource/block-iops", resource],
  ["resource/network-bandwidth", resource],
  ["os/linux/no-new-privileges", "boolean"],
  ["os/linux/oom-score-adj", "number"],
  ["os/linux/cpu-shares", "number"],
  ["os/linux/selinux-context", { user: "text", role: "text", type: "text", level: "text" }],
  ["os/linux/apparmor-profile", { profile: "text" }],
  ["os/unix/sysctl", "pairs"],
]);

/** @throws Failure USAGE that names the flag and its form */
export function parseManifestFlags(flags: ManifestFlags): ManifestChanges {
  const { exec, supplementaryGroups } = flags;
  return {
    name: flags.name || undefined,
    exec: exec ? exec.split(" ").filter((word) => word !== "") : undefined,
    user: flags.user || undefined,
    group: flags.group || undefined,
    supplementaryGIDs: supplementaryGroups ? words(supplementaryGroups).map((word) => groupNumber(word)) : undefined,
    mountPoints: items(flags.mounts, "--mounts", mountForm, { path: "text", readOnly: "boolean" }),
    ports: items(flags.ports, "--ports", portForm, {
      protocol: "text",
      port: "number",
      count: "number",
      socketActivated: "boolean",
    }),
    isolators: [...capabilities(flags), ...seccomp(flags), ...isolators(flags.isolators)],
  };
}

function groupNumber(word: string): number {
  return Number(value("number", word, "--supplementary-groups", "GID1,GID2,…"));
}

function capabilities({ capability, revokeCapability }: ManifestFlags): readonly NamedItem[] {
  if (capability && revokeCapability) {
    throw new Failure("USAGE", "--capability and --revoke-capability exclude each other (ACE-39)", {
      hint: "give one of them",
    });
  }
  if (capability) return [{ name: "os/linux/capabilities-retain-set", value: { set: words(capability) } }];
  if (revokeCapability) return [{ name: "os/linux/capabilities-remove-set", value: { set: words(revokeCapability) } }];
  return [];
}

function seccomp({ seccompMode, seccompSet }: ManifestFlags): readonly NamedItem[] {
  if (!seccompMode && !seccompSet) return [];
  if (!seccompMode || !seccompSet) {
    throw new Failure("USAGE", "--seccomp-mode and --seccomp-set go together", {
      hint: "--seccomp-mode retain,errno=EPERM --seccomp-set read,write",
    });
  }
  const form = "retain|remove[,errno=NAME]";
  const { name: mode, fields } = parts(seccompMode, "--seccomp-mode", form, { errno: "text" });
  if (mode !== "retain" && mode !== "remove") throw wrong("--seccomp-mode", seccompMode, "no such mode", form);
  return [{ name: `os/linux/seccomp-${mode}-set`, value: { set: words(seccompSet), ...fields } }];
}

function isolators(text: string | undefined): readonly NamedItem[] {
  return (text || undefined)?.split(":").map((entry) => isolator(entry)) ?? [];
}

function isolator(entry: string): NamedItem {
  const [name = "", ...rest] = entry.split(",");
  const kind = isolatorValues.get(name);
  if (kind === undefined) {
    throw new Failure("USAGE", `--isolators: ${printable(JSON.stringify(name))} cannot be set here`, {
      subject: name,
      cause: `what can: ${[...isolatorValues.keys()].join(", ")}`,
      hint: `--isolators ${isolatorForm}; --capability, --seccomp-mode; --manifest FILE for everything else`,
    });
  }
  if (kind === "pairs") return { name, value: Object.fromEntries(rest.map((pair) => pairOf(pair, entry))) };
  if (typeof kind === "object") return { name, value: parts(entry, "--isolators", isolatorForm, kind).fields };
  if (rest.length !== 1) throw wrong("--isolators", entry, `${name} has one value`, isolatorForm);
  return { name, value: value(kind, rest[0] ?? "", "--isolators", isolatorForm) };
}

function pairOf(pair: string, entry: string): readonly [string, string] {
  const at = pair.indexOf("=");
  if (at < 1) throw wrong("--isolators", entry, `${JSON.stringify(pair)} is not KEY=VALUE`, isolatorForm);
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function items(text: string | undefined, flag: string, form: string, fields: Fields): readonly NamedItem[] {
  return (text || undefined)?.split(":").map((entry) => itemOf(parts(entry, flag, form, fields))) ?? [];
}

function itemOf({ name, fields }: { readonly name: string; readonly fields: object }): NamedItem {
  return { name, ...fields };
}

/** `NAME,key=value,…` with known keys, each at most once. */
function parts(entry: string, flag: string, form: string, known: Fields) {
  const [name = "", ...pairs] = entry.split(",");
  const fields: Record<string, unknown> = {};
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    const key = pair.slice(0, Math.max(at, 0));
    const kind = Object.hasOwn(known, key) ? known[key] : undefined;
    if (kind === undefined) throw wrong(flag, entry, `${JSON.stringify(pair)} is none of its fields`, form);
    if (Object.hasOwn(fields, key)) throw wrong(flag, entry, `${key} is given twice`, form);
    fields[key] = value(kind, pair.slice(at + 1), flag, form);
  }
  return { name, fields };
}

function value(kind: Kind, text: string, flag: string, form: string): unknown {
  if (kind === "text") return text;
  if (kind === "number" && /^-?\d{1,10}$/.test(text)) return Number(text);
  if (kind === "boolean" && (text === "true" || text === "false")) return text === "true";
  throw wrong(flag, text, kind === "number" ? "it is no whole number" : "it is neither true nor false", form);
}

function words(text: string): readonly string[] {
  return text.split(",").map((word) => word.trim());
}

function wrong(flag: string, text: string, why: string, form: string): Failure {
  return new Failure("USAGE", `${flag}: ${printable(JSON.stringify(text))}: ${printable(why)}`, {
    subject: text,
    hint: `${flag} ${form}`,
  });
}
