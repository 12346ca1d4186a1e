/** Archives at their extremes: plain ones, many small files, more bytes than memory; reading all of one without unpacking it. */
import { mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { alternate, type Command, peakMemory } from "./measure.ts";
import { type Context, type Row, timingRow } from "./rows.ts";
import { makeTree } from "./tree.ts";

const manifest = JSON.stringify({ acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/bench" });
const directories = 100;
const filesEach = 1000;

export async function archives(context: Context): Promise<readonly Row[]> {
  const { work } = context;
  const layout = layoutIn(work, "plain-layout");
  makeTree(join(layout, "rootfs"));
  const rows = [...plain(context, layout), ...small(context)];
  rmSync(layout, { recursive: true });
  return rows;
}

function layoutIn(work: string, name: string): string {
  const layout = join(work, name);
  mkdirSync(join(layout, "rootfs"), { recursive: true });
  writeFileSync(join(layout, "manifest"), manifest);
  return layout;
}

function plain({ work, program }: Context, layout: string): readonly Row[] {
  const [own, packed] = [join(work, "plain.aci"), join(work, "packed.aci")];
  const build: Command = { name: "perigee", argv: [program, "build", "--overwrite", "--no-compression", layout, own] };
  const script = `tar -C ${layout} -c manifest rootfs | tee ${join(work, "out.tar")} | sha512sum`;
  const tar: Command = { name: "tar | tee | sha512sum", argv: ["sh", "-c", script] };
  const built = alternate([build, tar], 5);
  alternate([{ name: "perigee", argv: [program, "build", "--overwrite", layout, packed] }], 1);
  const validated = alternate(
    [
      { name: "perigee", argv: [program, "image", "validate", packed] },
      { name: "gzip -dc | sha512sum", argv: ["sh", "-c", `gzip -dc ${packed} | sha512sum`] },
    ],
    5,
  );
  return [
    timingRow("build the tree, plain", built, [{ factor: 1.3, of: tar.name }]),
    timingRow("validate the image", validated, [{ factor: 1.2, of: "gzip -dc | sha512sum" }]),
  ];
}

function small({ work, program }: Context): readonly Row[] {
  const layout = layoutIn(work, "small-layout");
  writeFiles(layout, 1, "x");
  const [image, own, theirs] = [join(work, "small.aci"), join(work, "small-own"), join(work, "small-tar")];
  const built = alternate([{ name: "perigee", argv: [program, "build", "--overwrite", layout, image] }], 3);
  const clean = (): void => {
    for (const path of [own, theirs]) rmSync(path, { recursive: true, force: true });
    mkdirSync(theirs);
  };
  const unpacked = alternate(
    [
      { name: "perigee", argv: [program, "image", "extract", image, own], before: clean },
      { name: "tar -xzf", argv: ["tar", "-xzf", image, "-C", theirs], before: clean },
    ],
    3,
  );
  const changed = join(work, "small-changed.aci");
  writeFiles(layout, 9, "y");
  alternate([{ name: "perigee", argv: [program, "build", "--overwrite", layout, changed] }], 1);
  rmSync(layout, { recursive: true });
  clean();
  const memory = [
    ["validate", image],
    ["diff", image, image],
    ["diff", image, changed],
    ["diff", "--format=json", image, changed],
  ].map((line) => memoryRow(`image ${describe(line)} of 100,000 small files`, [program, "image", ...line]));
  return [
    ...memory,
    timingRow("build 100,000 small files", built, [{ limit: 5000 }]),
    timingRow("unpack 100,000 small files", unpacked, [{ factor: 1.5, of: "tar -xzf" }]),
  ];
}

/** The small files, or each `step`th of them. */
function writeFiles(layout: string, step: number, letter: string): void {
  for (let directory = 0; directory < directories; directory++) {
    mkdirSync(join(layout, "rootfs", String(directory)), { recursive: true });
    for (let file = 0; file < filesEach; file += step) {
      writeFileSync(join(layout, "rootfs", String(directory), `file-${file}`), letter.repeat((file * 7) % 300));
    }
  }
}

/** `line` without where the images lie. */
function describe(line: readonly string[]): string {
  return line.map((word) => basename(word, ".aci")).join(" ");
}

/** Ten GiB of nothing: what counts is the memory, and the file needs no disk. */
export async function large({ work, program }: Context): Promise<readonly Row[]> {
  const layout = layoutIn(work, "large-layout");
  writeFileSync(join(layout, "rootfs", "big"), "");
  truncateSync(join(layout, "rootfs", "big"), 10 * 1024 ** 3);
  const image = join(work, "large.aci");
  // Nothing is smaller than its archive by more than readers follow.
  const config = join(work, "large-config");
  mkdirSync(join(config, "limits.d"), { recursive: true });
  writeFileSync(
    join(config, "limits.d", "ratio.json"),
    JSON.stringify({ perigeeKind: "limits", perigeeVersion: "v1", ratio: 2000 }),
  );
  const rows = ["gzip", "zstd"].map((kind) =>
    memoryRow(`building 10 GiB, ${kind}`, [
      program,
      "build",
      "--local-config",
      config,
      "--overwrite",
      "--compression",
      kind,
      layout,
      image,
    ]),
  );
  rmSync(layout, { recursive: true });
  rmSync(image, { force: true });
  return rows;
}

function memoryRow(what: string, argv: readonly string[]): Row {
  const peak = peakMemory({ name: what, argv });
  return {
    what: `peak memory of ${what}`,
    figures: [{ name: "perigee", value: (peak ?? Number.NaN) / 1024 }],
    unit: "MiB",
    bars: [{ limit: 150 }],
    missing: peak === undefined ? ["/usr/bin/time is not installed"] : [],
  };
}
