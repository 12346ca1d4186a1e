/**
 * Rendering against another hand: GNU tar unpacks every layer by itself, a few lines filter it by the lists, GNU tar lays it over
 * the layers before. Random images, diamonds and lists; the trees must be equal entry by entry.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import type { ImageID } from "../../src/schema/image-id.ts";
import { openStore } from "../../src/store/layout.ts";
import { ensureTree } from "../../src/store/trees.ts";
import { describeTree, isRoot, withoutOwners } from "../helpers/image-tree.ts";
import { importReal, makeImage, type RealFile } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

interface Image {
  readonly dependencies: readonly string[];
  readonly whitelist: readonly string[];
  readonly files: readonly RealFile[];
}
type Graph = Readonly<Record<string, Image>>;

/** A small generator of numbers (mulberry32), so that a case can be made again from its seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const names = ["a", "b", "c", "d"];

/** Few names and three levels, so that images collide with each other in every way. */
function randomFiles(random: (below: number) => number, image: string): readonly RealFile[] {
  const files: RealFile[] = [];
  const contents: string[] = [];
  const fill = (directory: string, level: number): void => {
    for (const name of names) {
      const path = directory === "" ? name : `${directory}/${name}`;
      const kind = random(10);
      if (kind < 3 && level < 3) {
        files.push({ path, type: "directory", mode: [0o755, 0o700, 0o1777][random(3)], owner: random(3) });
        fill(path, level + 1);
      } else if (kind < 5) {
        files.push({ path, content: `${path} of ${image}`, mode: [0o644, 0o4755, 0o600][random(3)], owner: random(3) });
        contents.push(path);
      } else if (kind === 5) {
        files.push({ path, type: "symlink", target: ["a", "../b", "/c", "nowhere"][random(4)], owner: random(3) });
      } else if (kind === 6 && contents.length > 0) {
        files.push({ path, type: "link", target: contents[random(contents.length)] });
      }
    }
  };
  fill("", 1);
  return files;
}

function randomGraph(seed: number): Graph {
  const random = numbers(seed);
  const shapes: readonly Readonly<Record<string, readonly string[]>>[] = [
    { top: ["left", "right"], left: ["base"], right: ["base"], base: [] },
    { top: ["left", "right"], left: [], right: ["base"], base: [] },
    { top: ["left"], left: ["right"], right: ["base"], base: [] },
  ];
  const graph: Record<string, Image> = {};
  for (const [name, dependencies] of Object.entries(shapes[random(shapes.length)] ?? {})) {
    const files = randomFiles(random, name);
    const paths = names.flatMap((a) => [
      a,
      ...names.flatMap((b) => [`${a}/${b}`, ...names.map((c) => `${a}/${b}/${c}`)]),
    ]);
    const isFiltered = random(3) === 0;
    const whitelist = isFiltered ? paths.filter(() => random(2) === 0).map((path) => `/${path}`) : [];
    graph[name] = { dependencies, whitelist, files };
  }
  return graph;
}

/** Depth first, each image with the lists that apply to it (ACE-6, ACE-7). */
function layersOf(
  graph: Graph,
  name: string,
  above: readonly (readonly string[])[],
): readonly { name: string; lists: readonly (readonly string[])[] }[] {
  const image = graph[name];
  if (image === undefined) return [];
  const lists = image.whitelist.length > 0 ? [...above, image.whitelist] : above;
  return [...image.dependencies.flatMap((below) => layersOf(graph, below, lists)), { name, lists }];
}

/** Takes away what a list does not name, children first. */
function filter(directory: string, list: readonly string[], path = ""): void {
  for (const entry of readdirSync(join(directory, path), { withFileTypes: true })) {
    const own = `${path}/${entry.name}`;
    if (entry.isDirectory()) filter(directory, list, own);
    const isOnTheWay = entry.isDirectory() && list.some((listed) => listed.indexOf(`${own}/`) === 0);
    if (!list.includes(own) && !isOnTheWay) rmSync(join(directory, own), { recursive: true });
  }
}

/** A directory that is not empty gives way to no file of GNU tar. */
function makeRoom(layer: string, result: string): void {
  for (const entry of readdirSync(layer, { withFileTypes: true })) {
    const [from, to] = [join(layer, entry.name), join(result, entry.name)];
    if (!entry.isDirectory()) rmSync(to, { recursive: true, force: true });
    else if (lstatSync(to, { throwIfNoEntry: false })?.isDirectory() === true) makeRoom(from, to);
  }
}

/** Removing from a directory changes its time; all directories of these archives have the same. */
function resetTimes(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) resetTimes(join(directory, entry.name));
  }
  const time = new Date("2020-01-01T00:00:00Z");
  utimesSync(directory, time, time);
}

function renderWithTar(home: string, graph: Graph, archives: ReadonlyMap<string, string>): string {
  const result = join(home, "reference");
  mkdirSync(result);
  for (const [index, { name, lists }] of layersOf(graph, "top", []).entries()) {
    const layer = join(home, `layer${index}`);
    mkdirSync(layer);
    execFileSync("tar", ["-xpf", archives.get(name) ?? "", "-C", layer, "--numeric-owner"]);
    const rootfs = join(layer, "rootfs");
    for (const list of lists) filter(rootfs, list);
    resetTimes(rootfs);
    makeRoom(rootfs, result);
    const stream = execFileSync("tar", ["-C", rootfs, "--sort=name", "-cf", "-", "."]);
    execFileSync("tar", ["-C", result, "-xpf", "-", "--numeric-owner"], { input: stream });
  }
  return result;
}

describe("a rendered tree (ACE-4, ACE-5, ACE-6, ACE-7)", () => {
  for (let seed = 1; seed <= 24; seed += 1) {
    it(`is what GNU tar makes of the layers, seed ${seed}`, async (t) => {
      const home = await temporaryDirectory(t);
      const store = await openStore(join(home, "data"));
      const graph = randomGraph(seed);
      const archives = new Map<string, string>();
      let top: ImageID | undefined;
      for (const [name, { dependencies, whitelist, files }] of Object.entries(graph).toReversed()) {
        const below = dependencies.map((other) => ({ imageName: `example.com/${other}` }));
        const image = await makeImage({ name: `example.com/${name}`, dependencies: below, whitelist }, files);
        archives.set(name, join(home, `${name}.tar`));
        writeFileSync(join(home, `${name}.tar`), image.archive ?? "");
        top = (await importReal(store, image)).id;
      }
      assert.ok(top !== undefined);
      const { rootfs } = await ensureTree(store, top, { log: silentLog });
      const compared = isRoot ? (tree: ReadonlyMap<string, string>) => tree : withoutOwners;
      const expected = compared(describeTree(renderWithTar(home, graph, archives)));
      assert.deepEqual([...compared(describeTree(rootfs))], [...expected]);
    });
  }
});
