/** Places that cannot be written to, full disks, and a build that is killed: one clear error, the output whole or not there, nothing beside it. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { after, before, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { asUser } from "../helpers/ordinary-user.ts";
import { imageManifest, program, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const out = work.path("out");
let image = "";
let pod = "";
let key = "";
before(() => {
  const files = { "etc/data": randomBytes(300_000).toString("base64") };
  image = work.image("example.com/big", { exec: ["/guest", "exit", "0"] }, files);
  work.must(["--insecure-options=image", "fetch", image]);
  mkdirSync(work.path("layout"));
  writeFileSync(work.path("layout", "manifest"), JSON.stringify(imageManifest("example.com/laid")));
  work.rootfs("layout/rootfs", files);
  writeFileSync(work.path("recipe.yaml"), "name: example.com/made\nsteps:\n  - copy: { from: layout/rootfs, to: / }\n");
  assert.equal(work.run(["--uuid-file-save", work.path("uuid"), "example.com/big"]).status, 0);
  pod = readFileSync(work.path("uuid"), "utf8").trim();
  const made = work.must(["key", "generate", "--name", "A", "--email", "a@b.c", "--no-passphrase", "--format", "json"]);
  key = (JSON.parse(made) as { fingerprint: string }).fingerprint;
  mkdirSync(out);
});
after(async () => {
  work.must(["gc", "--grace-period=0s", "--expire-layers=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

/** Everything that writes where its caller says. */
const writers: readonly (readonly [name: string, words: () => readonly string[]])[] = [
  ["build of a directory", () => ["build", "layout", "out/x.aci"]],
  ["build, not compressed", () => ["build", "--no-compression", "layout", "out/x.aci"]],
  ["build with a bill of materials", () => ["build", "--sbom", "layout", "out/x.aci"]],
  ["build of a recipe", () => ["build", "-f", "recipe.yaml", "out/x.aci"]],
  ["image patch-manifest", () => ["image", "patch-manifest", "--name", "example.com/b", image, "out/x.aci"]],
  ["image extract", () => ["image", "extract", image, "out/x"]],
  ["image render", () => ["image", "render", "example.com/big", "out/x"]],
  ["image export", () => ["image", "export", "example.com/big", "out/x.aci"]],
  ["export", () => ["export", pod, "out/x.aci"]],
  ["publish", () => ["publish", "--out", "out/site", "--url", "https://example.com", image]],
  ["sign", () => ["sign", "--output", "out/x.asc", image]],
  ["key export", () => ["key", "export", "--output", "out/key.asc", key]],
];

/** Runs the words in a mount namespace of their own, where `out` is a file system made by `mount`; with what is in `out` behind them. */
function onDisk(mount: string, words: readonly string[]) {
  const script = `set -e; ${mount}; shift; set +e; "$@"; status=$?; find ${out} -mindepth 1 > ${work.path("left")}; exit $status`;
  const around = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", out];
  const outcome = work.command([...around, program, ...work.globals, "--insecure-options=image", ...words]);
  return { ...outcome, left: readFileSync(work.path("left"), "utf8").split("\n").filter(Boolean) };
}

const full = 'mount -t tmpfs -o size=64k out "$1"';
const places: readonly (readonly [why: string, mount: string, code: string, cause: RegExp, left: readonly string[]])[] =
  [
    ["a read-only file system", 'mount -t tmpfs -o ro out "$1"', "IO_FAILED", /EROFS|[Rr]ead-only/, []],
    [
      "a file system without room for a byte",
      `${full}; dd if=/dev/zero of="$1/filler" bs=4k 2>/dev/null || true`,
      "DISK_FULL",
      /ENOSPC|no space|full/i,
      [`${out}/filler`],
    ],
  ];

describe("a place that cannot be written to", () => {
  for (const [why, mount, code, cause, there] of places) {
    for (const [name, words] of writers) {
      it(`${name}: ${why}`, () => {
        const { status, stdout, stderr, left } = onDisk(mount, words());
        assert.equal(status, 1, stderr);
        assert.match(stderr, new RegExp(`^error\\[${code}\\]: .*out/`, "m"));
        assert.match(stderr, cause);
        assert.match(stderr, /\n {2}try: /);
        assert.doesNotMatch(stderr, /\n\s+at .*:\d+:\d+/);
        assert.equal(stdout, "");
        assert.deepEqual(left, there);
      });
    }
  }
  for (const [name, words] of writers.filter(([name]) => !["sign", "key export"].includes(name))) {
    it(`${name}: a file system with less room than is needed`, () => {
      const { status, stderr, left } = onDisk(full, words());
      assert.equal(status, 1, stderr);
      assert.match(stderr, /^error\[DISK_FULL\]: .*out/m);
      assert.match(stderr, /\n {2}try: /);
      assert.deepEqual(left, []);
    });
  }
});

describe("a directory that is not the caller's", () => {
  it("is told with its path, and nothing is left in it", () => {
    // What an ordinary user can read, without a store of its own.
    chmodSync(work.directory, 0o755);
    for (const path of ["layout", "layout/rootfs", "layout/rootfs/etc"]) chmodSync(work.path(path), 0o755);
    mkdirSync(work.path("checkout"));
    for (const words of [
      ["build", "layout", "out/x.aci"],
      ["image", "extract", image, "out/x"],
      ["image", "patch-manifest", "--name", "example.com/b", image, "out/x.aci"],
      ["publish", "--out", "out/site", "--url", "https://example.com", image],
      ["publish", "--out", "out", "--url", "https://example.com", image],
    ]) {
      const env = { HOME: "/nonexistent", XDG_DATA_HOME: "/nonexistent", XDG_CONFIG_HOME: "/nonexistent" };
      const { status, stderr } = work.command(asUser(1000, work.path("checkout"), [program, ...words]), { env });
      assert.equal(status, 1, stderr);
      assert.match(stderr, /^error\[IO_FAILED\]: .*out/m);
      assert.match(stderr, /EACCES/);
      assert.match(stderr, /\n {2}try: /);
      assert.deepEqual(readdirSync(out), [], words.join(" "));
    }
  });
});

describe("kill -9 amid build", () => {
  /** Kills a build of `layout` as soon as its output is under way beside its place. */
  async function killed(words: readonly string[]): Promise<void> {
    // A build may be quicker than we are.
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const known = new Set(readdirSync(out));
      const child = work.start(["build", ...words, "out/x.aci"], "ignore");
      const ended = new Promise((resolve) => child.once("exit", resolve));
      const isUnderWay = () => readdirSync(out).some((name) => !known.has(name) && name.endsWith(".tmp"));
      while (child.exitCode === null && !isUnderWay()) await turn();
      child.kill("SIGKILL");
      await ended;
      if (child.signalCode === "SIGKILL") return;
      if (!words.includes("--overwrite")) rmSync(work.path("out", "x.aci"));
    }
    assert.fail("every build ended before it could be killed");
  }
  /** The layout as it was, to the times of its directories. */
  function withoutLarge(): void {
    rmSync(work.path("layout", "rootfs", "large"));
    utimesSync(work.path("layout", "rootfs"), 1, 1);
  }
  const leftovers = () => readdirSync(out).filter((name) => name !== "x.aci");

  it("leaves no output, or all of it; the next build works, and takes away what was left", async () => {
    writeFileSync(work.path("layout", "rootfs", "large"), randomBytes(64 * 1024 * 1024));
    await killed(["layout"]);
    if (existsSync(work.path("out", "x.aci"))) work.must(["image", "validate", "out/x.aci"]);
    assert.equal(leftovers().length <= 1, true, leftovers().join());
    withoutLarge();
    // As if an hour had gone by: until then it could be another's who is still at work (DUR-5).
    for (const name of leftovers()) utimesSync(work.path("out", name), 0, 0);
    work.must(["build", "--overwrite", "layout", "out/x.aci"]);
    assert.deepEqual(readdirSync(out), ["x.aci"]);
    work.must(["image", "validate", "out/x.aci"]);
  });

  it("that was to replace an image leaves the old one whole", async () => {
    const before = readFileSync(work.path("out", "x.aci"));
    writeFileSync(work.path("layout", "rootfs", "large"), randomBytes(64 * 1024 * 1024));
    await killed(["--overwrite", "layout"]);
    const now = readFileSync(work.path("out", "x.aci"));
    if (!now.equals(before)) work.must(["image", "validate", "out/x.aci"]);
    withoutLarge();
    for (const name of leftovers()) utimesSync(work.path("out", name), 0, 0);
    work.must(["build", "--overwrite", "layout", "out/x.aci"]);
    assert.deepEqual(readdirSync(out), ["x.aci"]);
    assert.deepEqual(readFileSync(work.path("out", "x.aci")), before, "the same parts make the same bytes");
  });
});
