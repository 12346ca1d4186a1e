/** Trees of files that no person would make: names of any bytes, every type, odd modes, owners, times, links and attributes. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type Attribute, setAttributes } from "./attributes.ts";
import { isRoot } from "./image-tree.ts";
import type { Random } from "./random.ts";

interface Made {
  /** Relative to the root of the tree. */
  readonly path: Buffer;
  readonly type: "file" | "directory" | "symlink" | "special";
}

const sizes = [0, 1, 511, 512, 513, 10_240, 70_000];
const nodes = [["p"], ["c", "1", "3"], ["b", "7", "200"], ["c", "4095", "1048575"]];

export interface TreeOptions {
  readonly acls: boolean;
}

/** Fills the empty directory `root`. As root with devices, owners, file capabilities. */
export function makeRandomTree(root: string, random: Random, { acls }: TreeOptions = { acls: true }): void {
  const made: Made[] = [];
  const taken = new Set<string>();
  for (let left = 10 + random.below(40); left > 0; left--) {
    const parent = random.pick([undefined, ...made.filter(({ type }) => type === "directory")]);
    const name = randomName(random);
    const path = parent === undefined ? name : Buffer.concat([parent.path, Buffer.from("/"), name]);
    if (taken.has(path.toString("latin1"))) continue;
    taken.add(path.toString("latin1"));
    made.push(make(root, path, made, random));
  }
  for (const file of made) decorate(root, file, random);
  const attributes = made.flatMap((file) => randomAttributes(file, random));
  setAttributes(root, acls ? attributes : attributes.filter(({ name }) => !name.startsWith("system.")));
  // Times last: everything above changes them. Children before their directories does not matter, as nothing is made any more.
  for (const { path } of made) lutimesSync(below(root, path), randomTime(random), randomTime(random));
}

function below(root: string, path: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), path]);
}

function randomName(random: Random): Buffer {
  if (random.once(4)) {
    const odd = [
      "-rf",
      " ",
      "a\nb",
      "...",
      "..a",
      "a.",
      "\\",
      "é",
      "e\u0301",
      "rootfs",
      "manifest",
      "PaxHeader",
      "*",
      "\u001b[2J",
      "~",
    ];
    return Buffer.from(random.pick(odd));
  }
  const length = random.once(6) ? 99 + random.below(157) : 1 + random.below(12);
  const bytes = Buffer.from(Array.from({ length }, () => random.pick([0x61, 0x62, 1 + random.below(255)])));
  const name = Buffer.from(bytes.map((byte) => (byte === 0x2f ? 0x5f : byte)));
  return /^\.{1,2}$/.test(name.toString("latin1")) ? Buffer.from("dots") : name;
}

function make(root: string, path: Buffer, made: readonly Made[], random: Random): Made {
  const at = below(root, path);
  const files = made.filter(({ type }) => type !== "directory");
  switch (random.below(8)) {
    case 0:
    case 1:
      mkdirSync(at);
      return { path, type: "directory" };
    case 2:
      symlinkSync(Buffer.from(random.bytes(1 + random.below(300)).map((byte) => byte || 0x2f)), at);
      return { path, type: "symlink" };
    case 3:
      if (files.length > 0) {
        const old = random.pick(files);
        linkSync(below(root, old.path), at);
        return { path, type: old.type };
      }
      break;
    case 4: {
      const plain = `${root}/node`;
      execFileSync("mknod", [plain, ...(isRoot ? random.pick(nodes) : ["p"])]);
      renameSync(plain, at);
      return { path, type: "special" };
    }
    default:
  }
  writeFileSync(at, random.bytes(random.pick(sizes)));
  return { path, type: "file" };
}

function decorate(root: string, { path, type }: Made, random: Random): void {
  const at = below(root, path);
  if (isRoot && random.once(2))
    lchownSync(at, random.pick([0, 1000, 65_534, 2_097_152, 4_294_967_294]), random.below(70_000));
  if (type === "symlink") return;
  const readable = type === "directory" ? 0o700 : 0o400;
  chmodSync(at, isRoot ? random.below(0o10000) : random.below(0o1000) | readable);
}

function randomAttributes({ path, type }: Made, random: Random): readonly Attribute[] {
  if (type === "symlink" || type === "special") return [];
  const attributes: Attribute[] = [];
  for (let left = random.pick([0, 0, 1, 3]); left > 0; left--) {
    const name = `user.${random.pick(["a", "mime_type", "é", "x".repeat(200), `n${random.below(5)}`])}`;
    attributes.push({ path, name, value: random.bytes(random.pick([0, 1, 20, 300])) });
  }
  if (random.once(4)) attributes.push({ path, name: "system.posix_acl_access", value: randomAcl(random) });
  if (type === "directory" && random.once(4)) {
    attributes.push({ path, name: "system.posix_acl_default", value: randomAcl(random) });
  }
  if (isRoot && type === "file" && random.once(3)) {
    const capabilities = Buffer.from("0100000200000000000000000000000000000000", "hex");
    capabilities.writeUInt32LE(1 << random.below(30), 4);
    attributes.push({ path, name: "security.capability", value: capabilities });
  }
  return attributes;
}

/** The kernel's form: version 2, then tag, permissions and id of each entry. */
function randomAcl(random: Random): Buffer {
  const entries: readonly (readonly [number, number])[] = [
    [0x01, 0xffffffff],
    [0x02, 1000 + random.below(5)],
    [0x04, 0xffffffff],
    [0x10, 0xffffffff],
    [0x20, 0xffffffff],
  ];
  const acl = Buffer.alloc(4 + 8 * entries.length);
  acl.writeUInt32LE(2, 0);
  entries.forEach(([tag, id], index) => {
    acl.writeUInt16LE(tag, 4 + 8 * index);
    acl.writeUInt16LE(tag === 0x01 && !isRoot ? 7 : random.below(8), 6 + 8 * index);
    acl.writeUInt32LE(id, 8 + 8 * index);
  });
  return acl;
}

/** Before 1970, after 2038, and with a fraction. */
function randomTime(random: Random): number {
  return random.pick([
    0,
    -1_000_000_000.75,
    1,
    1_700_000_000.123456,
    4_300_000_000.5,
    random.below(2 ** 31) + random.below(1e6) / 1e6,
  ]);
}
