/**
 * Differential: what we build GNU tar unpacks to the same files, entry by entry, as we do and as there were; actool accepts it; what was
 * unpacked builds the same image. Of the files of Debian packages, of a root file system of debootstrap, of trees made at random, and of
 * every archive of the vectors that is accepted.
 */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { walkTree } from "../helpers/attributes.ts";
import { unpackPackage, unpackRoot } from "../helpers/debian.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { imageManifest, Workspace } from "../helpers/program.ts";
import { Random, testSeed } from "../helpers/random.ts";
import { makeRandomTree } from "../helpers/random-tree.ts";
import { type RawArchive, tarBytes } from "../helpers/tar-bytes.ts";
import { vectors } from "../helpers/vectors.ts";

const work = new Workspace();
const clean = leakSnapshot();
before(() => writeFileSync(work.path("manifest"), JSON.stringify(imageManifest("example.com/differential"))));
after(async () => {
  await work.close();
  await assertNothingLeft(clean);
});

type Tree = ReadonlyMap<string, string>;

/** Device nodes are made by GNU tar, and left out by `image extract`. The groups of hard links are counted anew. */
function withoutDevices(tree: Tree): Tree {
  const groups = new Map([["0", 0]]);
  const renumbered = (text: string) =>
    text.replace(/^(\S+ \d+ \d+ -?\d+ \d+ \d*) (\d+) /, (_, before, group) => {
      if (!groups.has(group)) groups.set(group, groups.size);
      return `${before} ${groups.get(group)} `;
    });
  const kept = [...tree].filter(([, text]) => !/^(?:2|6)\d{4} /.test(text));
  return new Map(kept.map(([path, text]) => [path, renumbered(text)]));
}

function must(argv: readonly string[]): string {
  const { status, stdout, stderr } = work.command(argv);
  assert.equal(status, 0, `${argv.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

/** As root GNU tar restores everything it knows; what comes out lies in `directory`/rootfs. */
function unpackByTar(archive: string, directory: string): string {
  mkdirSync(work.path(directory), { recursive: true });
  const all = ["--xattrs", "--xattrs-include=*", "--acls", "--same-owner", "--numeric-owner", "-p"];
  must(["tar", ...all, "-xf", archive, "-C", work.path(directory)]);
  return work.path(directory, "rootfs");
}

function build(
  rootfs: string,
  name: string,
  options: readonly string[] = [],
): { readonly id: string; readonly path: string } {
  const id = work.must(["build", ...options, "--manifest", "manifest", "--rootfs", rootfs, `${name}.aci`]).trim();
  return { id, path: work.path(`${name}.aci`) };
}

const plain = ["--no-compression"];
/** The whole comparison; `rootfs` is a directory of the workspace, and everything is removed again. @returns the tree */
function compare(rootfs: string, options: readonly string[] = []): Tree {
  try {
    const tree = walkTree(work.path(rootfs));
    const { id, path } = build(rootfs, "ours", options);
    must(["actool", "validate", path]);
    assert.deepEqual(walkTree(unpackByTar(path, "theirs")), tree, "GNU tar makes other files");
    work.must(["image", "extract", "--rootfs-only", "ours.aci", "extracted"]);
    const unpacked = withoutDevices(tree);
    assert.deepEqual(walkTree(work.path("extracted")), unpacked, "image extract makes other files");
    const whole = unpacked.size === tree.size ? "extracted" : "theirs/rootfs";
    assert.equal(build(whole, "again", plain).id, id);
    return tree;
  } finally {
    remove(rootfs, "ours.aci", "theirs", "extracted", "again.aci");
  }
}

function remove(...names: readonly string[]): void {
  for (const name of names) rmSync(work.path(name), { recursive: true, force: true });
}

/** Set-id programs, hard links, links, odd modes and groups, deep directories, thousands of small files. */
const packages: readonly string[] = [
  ...["bash", "bzip2", "coreutils", "cron", "dash", "e2fsprogs", "iputils-ping", "login", "passwd", "perl-base"],
  ...["screen", "sudo", "tzdata", "util-linux"],
];

describe("files of Debian (ACI-4, ACI-11)", () => {
  for (const name of packages) {
    it(`the package ${name}`, () => {
      unpackPackage(name, work.path("package"));
      assert.ok(compare("package").size > 10);
    });
  }

  it("a root file system of debootstrap", () => {
    unpackRoot(work.path("root"));
    const tree = compare("root", plain);
    assert.ok(tree.size > 3000);
    const entries = [...tree.values()];
    assert.ok(
      entries.some((text) => /^10[2467]\d{3} /.test(text)),
      "no set-id program",
    );
    assert.ok(
      entries.some((text) => /^2\d{4} /.test(text)),
      "no device",
    );
  });
});

describe("trees made at random (ACI-4)", () => {
  const seed = testSeed();
  for (let index = 0; index < 4; index++) {
    it(`PERIGEE_SEED=${seed}, tree ${index}`, () => {
      mkdirSync(work.path("random"));
      makeRandomTree(work.path("random"), new Random(seed, index));
      assert.ok(compare("random").size > 5);
    });
  }
});

describe("every archive of the vectors that is accepted", () => {
  interface TarCase extends RawArchive {
    readonly id: string;
    readonly why: string;
    readonly verdict: string;
  }
  /** What GNU tar keeps and an image does not have: it would mean something to the host (X01, X02, X07). */
  const foreign = / (?:trusted|user)\.overlay\.\S+| security\.(?!capability=)\S+/g;
  /** Directories that no entry makes get the time of the unpacking from GNU tar, and 0 from us. */
  const comparable = (tree: Tree): Tree => {
    const entries = [...withoutDevices(tree)].map(([path, text]) => [path, text.replace(foreign, " ")] as const);
    return new Map(entries.map(([path, text]) => [path, text.replace(/^(4\d{4} \S+ \S+) \S+/, "$1")]));
  };
  const accepted = vectors<TarCase>("tar/cases").filter(({ verdict }) => verdict === "ok");

  it("are not few", () => assert.ok(accepted.length > 30));
  for (const test of accepted) {
    it(`${test.id}: ${test.why}`, () => {
      try {
        writeFileSync(work.path("case.aci"), tarBytes(test));
        work.must(["image", "extract", "--rootfs-only", "case.aci", "extracted"]);
        const theirs = walkTree(unpackByTar(work.path("case.aci"), "theirs"));
        assert.deepEqual(comparable(walkTree(work.path("extracted"))), comparable(theirs));
      } finally {
        remove("case.aci", "extracted", "theirs");
      }
    });
  }
});

describe("a dependency", () => {
  it("ACI-48: gives its files; its app, user and isolators have no effect", () => {
    const base = {
      exec: ["/guest", "exit", "3"],
      user: "4711",
      group: "4711",
      environment: [{ name: "BASE", value: "1" }],
    };
    work.image("example.com/base", base);
    const { app: _, ...above } = imageManifest("example.com/above");
    writeFileSync(
      work.path("above.json"),
      JSON.stringify({ ...above, dependencies: [{ imageName: "example.com/base" }] }),
    );
    mkdirSync(work.path("above"));
    work.must(["build", "--manifest", "above.json", "--rootfs", "above", "above.aci"]);
    work.must(["--insecure-options=image", "fetch", "./example.com-base.aci"]);
    const { status, stderr } = work.run(["./above.aci"]);
    assert.equal(status, 125);
    assert.match(stderr, /--exec/);
    const { stdout } = work.run(["./above.aci", "--exec", "/guest", "--", "print"]);
    assert.doesNotMatch(stdout, /BASE=1|4711/);
  });
});
