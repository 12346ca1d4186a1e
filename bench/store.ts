/** The store: listing many images, and what the sweep costs beside images that stay. */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { alternate, type Command } from "./measure.ts";
import { type Context, type Row, timingRow } from "./rows.ts";

const imageCount = 1000;
/** Archives that no image has, and trees that nobody uses: the same before every sweep. */
const garbage = 20;

export async function store(context: Context): Promise<readonly Row[]> {
  const counts = [10, 100, imageCount];
  const stores = counts.map((count) => ({ count, data: fill(context, count, "lone") }));
  const dependants = counts.map((count) => ({ count, data: fill(context, count, "dependants") }));
  return [
    ...listing(context, stores.at(-1)?.data ?? ""),
    ...sweeping(context, stores, "images"),
    ...sweeping(context, dependants, "images, half of which depend on others"),
  ];
}

function listing({ program }: Context, data: string): readonly Row[] {
  const node: Command = { name: "node -e 0", argv: [process.execPath, "-e", "0"] };
  const list: Command = { name: "perigee", argv: [program, "--dir", data, "image", "list"] };
  const timings = alternate([list, node], 21);
  return [timingRow(`image list, ${imageCount} images`, timings, [{ factor: 1.8, of: "node -e 0" }])];
}

function sweeping(
  { program }: Context,
  stores: readonly { count: number; data: string }[],
  what: string,
): readonly Row[] {
  const commands = stores.toReversed().map(
    ({ count, data }): Command => ({
      name: count === imageCount ? "perigee" : `${count} images`,
      argv: [program, "--dir", data, "gc"],
      before: () => litter(data),
    }),
  );
  const timings = alternate(commands, 11);
  return [
    timingRow(`gc of ${garbage} trees and archives beside ${imageCount} ${what}`, timings, [
      { factor: 1.5, of: "10 images" },
    ]),
  ];
}

function litter(data: string): void {
  for (let index = 0; index < garbage; index += 1) {
    const digest = index.toString(16).padStart(2, "0").repeat(64);
    const shelf = join(data, "store", "blobs", "sha512", digest.slice(0, 2));
    mkdirSync(shelf, { recursive: true, mode: 0o700 });
    writeFileSync(join(shelf, digest), "garbage");
    const tree = join(data, "store", "trees", `sha512-${digest}`);
    mkdirSync(join(tree, "rootfs", "directory"), { recursive: true });
    writeFileSync(join(tree, "rootfs", "directory", "file"), "garbage");
  }
}

/** A store with `count` images, each of one small file; made by tar, which is started faster than we are. */
function fill({ work, program, log }: Context, count: number, kind: "lone" | "dependants"): string {
  const data = join(work, `store-${kind}-${count}`);
  const layout = join(work, "store-layout");
  mkdirSync(join(layout, "rootfs"), { recursive: true });
  log(`bench: a store of ${count} images`);
  const paths: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = `example.com/image-${index}`;
    const isDependant = kind === "dependants" && index % 2 === 1;
    const dependencies = isDependant ? [{ imageName: `example.com/image-${index - 1}` }] : [];
    const manifest = { acKind: "ImageManifest", acVersion: "0.8.11", name, dependencies };
    writeFileSync(join(layout, "manifest"), JSON.stringify(manifest));
    writeFileSync(join(layout, "rootfs", "name"), name);
    const path = join(work, `store-${index}.aci`);
    must(["tar", "--format=ustar", "-C", layout, "-cf", path, "manifest", "rootfs"]);
    paths.push(path);
  }
  for (let at = 0; at < paths.length; at += 100) {
    must([program, "--dir", data, "--insecure-options=image", "fetch", ...paths.slice(at, at + 100)]);
  }
  for (const path of paths) rmSync(path);
  return data;
}

function must(argv: readonly string[]): void {
  const [command = "", ...args] = argv;
  const result = spawnSync(command, args, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`${argv.join(" ")}: exit ${result.status}\n${result.stderr}`);
}
