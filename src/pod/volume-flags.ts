/** `--volume` and `--mount`: text → a volume of the pod manifest, and which of them an app wants where. Pure; needs no schema. */
import { excerpt, Failure } from "../base/failure.ts";
import { isACName, parseQuantity, propagations } from "../schema/grammar.ts";
import type { Volume } from "../schema/volume.ts";
import type { MountRequest } from "./manifest.ts";
import { componentsOf } from "./paths.ts";

/** What may stand behind `kind` and `readOnly`, by kind. */
const fields = {
  host: ["source", "recursive", "propagation"],
  empty: ["mode", "uid", "gid", "seeded"],
  tmpfs: ["size", "mode", "uid", "gid"],
} as const satisfies Record<Volume["kind"], readonly string[]>;

const isKind = (text: string | undefined): text is Volume["kind"] => text !== undefined && Object.hasOwn(fields, text);

/**
 * `NAME,kind=host,source=/abs[,readOnly=bool][,recursive=bool][,propagation=private|slave|shared]`,
 * `NAME,kind=empty[,readOnly=bool][,mode=0755][,uid=0][,gid=0][,seeded=bool]` or
 * `NAME,kind=tmpfs[,readOnly=bool][,size=64Mi][,mode=1777][,uid=0][,gid=0]`.
 * @throws Failure USAGE
 */
export function parseVolumeFlag(text: string): Volume {
  const flag = `--volume ${excerpt(text)}`;
  const [name = "", ...words] = text.split(",");
  if (!isACName(name))
    throw new Failure("USAGE", `${flag}: the name comes first: lower-case letters, digits and single -`);
  const values = parameters(flag, words, ["kind", "readOnly", ...new Set(Object.values(fields).flat())]);
  const kind = values.get("kind");
  if (!isKind(kind)) throw new Failure("USAGE", `${flag}: kind is host, empty or tmpfs`);
  const known: readonly string[] = ["kind", "readOnly", ...fields[kind]];
  const misplaced = [...values.keys()].filter((key) => !known.includes(key));
  if (misplaced.length > 0)
    throw new Failure("USAGE", `${flag}: a volume of kind ${kind} has no ${misplaced.join(", ")}`);
  const readOnly = boolean(flag, "readOnly", values.get("readOnly"));
  return { name, ...volumeOf(kind, flag, values), ...(readOnly === undefined ? {} : { readOnly }) };
}

/** A volume without its name; distributes over the kinds. */
type Described<V> = V extends Volume ? Omit<V, "name" | "readOnly"> : never;

function volumeOf(kind: Volume["kind"], flag: string, values: ReadonlyMap<string, string>): Described<Volume> {
  if (kind === "host") {
    const recursive = boolean(flag, "recursive", values.get("recursive"));
    const propagation = oneOf(flag, "propagation", values.get("propagation"), propagations);
    const source = absolute(flag, "source", values.get("source"));
    return { kind, source, ...(recursive === undefined ? {} : { recursive }), ...(propagation && { propagation }) };
  }
  const mode = octalMode(flag, values.get("mode") ?? (kind === "tmpfs" ? "1777" : "0755"));
  const owner = { uid: id(flag, "uid", values.get("uid")), gid: id(flag, "gid", values.get("gid")) };
  if (kind === "tmpfs") {
    const size = values.get("size");
    return { kind, mode, ...owner, ...(size === undefined ? {} : { size: quantity(flag, "size", size) }) };
  }
  const seeded = boolean(flag, "seeded", values.get("seeded"));
  return { kind, mode, ...owner, ...(seeded === undefined ? {} : { seeded }) };
}

/** Parameters of a flag such as `NAME,kind=host,source=/abs`; every key at most once and of `keys`. */
function parameters(flag: string, words: readonly string[], keys: readonly string[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf("=");
    const key = word.slice(0, Math.max(at, 0));
    if (at < 0 || !keys.includes(key)) {
      throw new Failure("USAGE", `${flag}: unknown parameter ${excerpt(word)}`, {
        hint: `known are ${keys.join(", ")}`,
      });
    }
    if (values.has(key)) throw new Failure("USAGE", `${flag}: ${key} is given twice`);
    values.set(key, word.slice(at + 1));
  }
  return values;
}

function boolean(flag: string, key: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (value === "true" || value === "false") return value === "true";
  throw new Failure("USAGE", `${flag}: ${key} is true or false`);
}

function absolute(flag: string, key: string, value: string | undefined): string {
  if (value !== undefined && /^\/[^\u0000-\u001f\u007f]*$/.test(value) && !componentsOf(value).includes(".."))
    return value;
  throw new Failure("USAGE", `${flag}: ${key} is an absolute path without ..`);
}

function octalMode(flag: string, value: string): string {
  if (/^0?[0-7]{1,4}$/.test(value)) return value;
  throw new Failure("USAGE", `${flag}: mode is octal, such as 0755`);
}

function id(flag: string, key: string, value = "0"): number {
  if (/^(0|[1-9][0-9]{0,9})$/.test(value) && Number(value) <= 4294967294) return Number(value);
  throw new Failure("USAGE", `${flag}: ${key} is a number`);
}

function quantity(flag: string, key: string, value: string): string {
  if ((parseQuantity(value) ?? 0n) > 0n) return value;
  throw new Failure("USAGE", `${flag}: ${key} is a quantity, such as 64Mi`);
}

/** Undefined when nothing was said. An enumeration, so that no option of mount(8) comes in by the back door (T-R44). */
function oneOf<T extends string>(flag: string, key: string, value: string | undefined, words: readonly T[]) {
  const found = words.find((word) => word === value);
  if (value === undefined || found !== undefined) return found;
  throw new Failure("USAGE", `${flag}: ${key} is ${words.slice(0, -1).join(", ")} or ${words.at(-1)}`);
}

/** `volume=NAME,target=PATH`. @throws Failure USAGE */
export function parseMountFlag(text: string): MountRequest {
  const flag = `--mount ${excerpt(text)}`;
  const values = parameters(flag, text.split(","), ["volume", "target"]);
  const volume = values.get("volume") ?? "";
  if (!isACName(volume)) throw new Failure("USAGE", `${flag}: volume=NAME names a volume of the pod`);
  return { volume, target: absolute(flag, "target", values.get("target")) };
}
