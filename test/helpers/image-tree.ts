/** A root file system with one of everything, and what is in a tree, seen without our own walk. */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

export const isRoot = process.geteuid?.() === 0;

export const manifestText = `${JSON.stringify({
  acKind: "ImageManifest",
  acVersion: "0.8.11",
  name: "example.com/everything",
  labels: [
    { name: "version", value: "1.0.0" },
    { name: "os", value: "linux" },
    { name: "arch", value: "amd64" },
  ],
  app: { exec: ["/bin/hello"], user: "0", group: "0" },
})}\n`;

/** `directory/manifest` and `directory/rootfs`. As root with owners, devices and attributes. */
export function makeLayout(directory: string): { readonly manifest: string; readonly rootfs: string } {
  const rootfs = join(directory, "rootfs");
  const at = (...names: readonly string[]) => join(rootfs, ...names);
  const manifest = join(directory, "manifest");
  mkdirSync(at("bin"), { recursive: true });
  writeFileSync(manifest, manifestText);
  writeFileSync(at("bin/hello"), "#!/bin/sh\necho hello\n");
  chmodSync(at("bin/hello"), 0o4755);
  linkSync(at("bin/hello"), at("bin/hi"));
  symlinkSync("../../../outside", at("link"));
  writeFileSync(at("bin", "empty"), "");
  mkdirSync(at("deep", "n".repeat(120)), { recursive: true });
  writeFileSync(at("deep", "n".repeat(120), "m".repeat(120)), "x".repeat(100_000));
  writeFileSync(Buffer.concat([Buffer.from(`${rootfs}/`), Buffer.from([0x62, 0xff, 0xfe])]), "no UTF-8");
  writeFileSync(at("a\nb"), "line");
  execFileSync("mkfifo", [at("fifo")]);
  mkdirSync(at("tmp"));
  chmodSync(at("tmp"), 0o1777);
  if (isRoot) makePrivileged(at);
  lutimesSync(at("link"), 1_000_000_000, 1_000_000_000.5);
  for (const name of ["bin/hello", "tmp", "bin"]) utimesSync(at(name), 1_100_000_000, 1_100_000_000.25);
  return { manifest, rootfs };
}

function makePrivileged(at: (name: string) => string): void {
  execFileSync("mknod", [at("null"), "c", "1", "3"]);
  execFileSync("mknod", [at("loop"), "b", "7", "0"]);
  writeFileSync(at("owned"), "of somebody");
  execFileSync("chown", ["3000000:4294967294", at("owned")]);
  execFileSync("chown", ["-h", "7:8", at("link")]);
  writeFileSync(at("capable"), "ping");
  execFileSync("setcap", ["cap_net_raw+ep", at("capable")]);
}

/** path → everything that counts, as text; hard links are told by a shared number. */
export function describeTree(root: string): ReadonlyMap<string, string> {
  const tree = new Map<string, string>();
  const inodes = new Map<bigint, number>();
  const walk = (path: Buffer, name: string): void => {
    const status = lstatSync(path, { bigint: true });
    const kind = Number(status.mode & 0o170000n);
    if (status.nlink > 1n && kind !== 0o040000 && !inodes.has(status.ino)) inodes.set(status.ino, inodes.size + 1);
    const content =
      kind === 0o100000
        ? createHash("sha512").update(readFileSync(path)).digest("hex").slice(0, 16)
        : kind === 0o120000
          ? readlinkSync(path, "latin1")
          : "";
    const size = kind === 0o040000 ? "" : status.size;
    const fields = [status.mode.toString(8), status.uid, status.gid, status.mtimeNs, status.rdev, size];
    tree.set(name, [...fields, inodes.get(status.ino) ?? 0, content].join(" "));
    if (kind !== 0o040000) return;
    for (const child of readdirSync(path, { encoding: "buffer" }).sort(Buffer.compare)) {
      walk(Buffer.concat([path, Buffer.from("/"), child]), `${name}/${child.toString("latin1")}`);
    }
  };
  walk(Buffer.from(root), "");
  return tree;
}

/** The same without what only root can restore. */
export function withoutOwners(tree: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...tree].map(([path, text]) => [path, text.replace(/^(\S+) \S+ \S+/, "$1")]));
}
