/**
 * Every file and directory of a data directory, replaced by everything that can stand in its place: no command hangs, crashes or reads
 * through a link; what is damaged is named or mended, and keeps nobody from the rest (LIFE-22, spec/store.md).
 */
import assert from "node:assert/strict";
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { type ListedPod, type Outcome, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const pristine = work.path("pristine");
const secret = readFileSync("/etc/passwd", "utf8");

/** What stands in the place of a file or directory. */
const kinds: Readonly<Record<string, (path: string) => void>> = {
  missing: () => {},
  empty: (path) => writeFileSync(path, ""),
  garbage: (path) => writeFileSync(path, Buffer.from([0, 255, 10, 123, 34, 27, 93, 48, 59])),
  directory: (path) => mkdirSync(join(path, "below"), { recursive: true }),
  fifo: (path) => void work.command(["mkfifo", path]),
  link: (path) => symlinkSync("/etc/passwd", path),
  sparse: (path) => {
    writeFileSync(path, "");
    truncateSync(path, 2 ** 30);
  },
  "mode 000": (path) => {
    writeFileSync(path, "");
    chmodSync(path, 0);
  },
};

/** Longer than any of these commands takes, however busy the machine is; a command that waits for a FIFO waits for ever. */
const patience = 110_000;

const visits: Outcome[] = [];
function perigee(args: readonly string[]): Outcome {
  const outcome = work.perigee(["--insecure-options=image", ...args], { timeoutMs: patience });
  const shown = `perigee ${args.join(" ")}: ${outcome.status}\n${outcome.stdout}${outcome.stderr}`;
  assert.notEqual(outcome.status, -1, `hangs or was killed: ${shown}`);
  assert.doesNotMatch(outcome.stderr, /error\[INTERNAL\]|\n\s+at .*:\d+:\d+/, shown);
  if (outcome.stderr.includes("error[")) assert.match(outcome.stderr, /error\[[A-Z_]+\]: \S/, shown);
  visits.push(outcome);
  return outcome;
}

function replace(path: string, kind: string): void {
  rmSync(path, { recursive: true, force: true });
  kinds[kind]?.(path);
}

/** The damaged data directory in its place, pods of a machine that was never started anew included. */
function spoil(paths: readonly string[], kind: string): void {
  rmSync(work.data, { recursive: true, force: true });
  cpSync(pristine, work.data, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  for (const path of paths) replace(join(work.data, path), kind);
}

const podFiles = [
  "record",
  "pid",
  "status/app",
  "status",
  "manifest",
  "plan",
  "events",
  "logs/app",
  "logs",
  "apps",
  "volumes",
  "files",
];
const imageParts = ["index", "manifest", "blob", "shelf", "signature", "tree", "rootfs", "mark"] as const;
const whole = "example.com/whole";
const broken = (part: string) => `example.com/broken/${part}`;
const pods: string[] = [];
const parts: Record<string, string> = {};

/** Where a part of the image of that name lies in the store. */
function partPath(name: string, part: (typeof imageParts)[number]): string {
  const list = JSON.parse(work.must(["image", "list", "--format", "json"])) as { id: string; name: string }[];
  const id = list.find((image) => image.name === name)?.id ?? "";
  const record = readFileSync(join(work.data, "store", "index", `${id}.json`), "utf8");
  const digest = /"archive":\{"sha512":"([0-9a-f]{128})"/.exec(record)?.[1] ?? "";
  const shelf = `store/blobs/sha512/${digest.slice(0, 2)}`;
  const places = {
    index: `store/index/${id}.json`,
    manifest: `store/manifests/${id}`,
    blob: `${shelf}/${digest}`,
    shelf,
    signature: `${shelf}/${digest}.asc`,
    tree: `store/trees/${id}`,
    rootfs: `store/trees/${id}/rootfs`,
    mark: `store/trees/${id}/manifest.ok`,
  };
  return places[part];
}

before(() => {
  work.stored(whole, { exec: ["/guest", "exit", "7"] });
  for (const part of imageParts) {
    work.stored(broken(part), { exec: ["/guest", "exit", "7"] }, { [part]: part });
    parts[part] = partPath(broken(part), part);
  }
  const uuids = new Set<string>();
  for (const _ of podFiles) {
    assert.equal(work.run([whole, "--name=app"], { timeoutMs: patience }).status, 7);
    for (const { uuid } of work.pods()) {
      if (uuids.has(uuid)) continue;
      uuids.add(uuid);
      pods.push(uuid);
    }
  }
  assert.equal(pods.length, podFiles.length);
  cpSync(work.data, pristine, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
});
after(async () => {
  await work.close();
  await assertNothingLeft(clean);
});

function assertNoSecret(): void {
  for (const { stdout, stderr } of visits.splice(0)) assert.doesNotMatch(`${stdout}${stderr}`, /root:[x*]:0:0/);
  assert.equal(readFileSync("/etc/passwd", "utf8"), secret);
}

const podsLeft = () =>
  ["run", "exited-garbage", "garbage"].flatMap((phase) => readdirSync(join(work.data, "pods", phase)));

for (const kind of Object.keys(kinds)) {
  describe(`${kind}, in place of`, () => {
    it("each file of a pod: each pod is listed, and gc and rm remove it", () => {
      spoil(
        podFiles.map((file, index) => join("pods", "run", pods[index] ?? "", file)),
        kind,
      );
      const listed = perigee(["list", "--format", "json"]);
      assert.equal(listed.status, 0, listed.stderr);
      const found = JSON.parse(listed.stdout) as readonly (ListedPod & { problem?: string })[];
      assert.deepEqual(found.map(({ uuid }) => uuid).sort(), pods.toSorted());
      for (const [index, file] of podFiles.entries()) {
        const pod = found.find(({ uuid }) => uuid === pods[index]);
        assert.equal(pod?.state, "exited", file);
        assert.equal(pod?.problem !== undefined, file === "record" && kind !== "missing", file);
        const isStatus = file === "status" || file === "status/app";
        if (file !== "record") assert.equal(pod?.apps[0]?.exitStatus, isStatus ? undefined : 7, file);
      }
      for (const file of ["record", "pid", "status"]) {
        assert.equal(perigee(["status", pods[podFiles.indexOf(file)] ?? ""]).status, 0, file);
      }
      assert.equal(
        perigee(["list"])
          .stdout.split("\n")
          .filter((line) => / exited /.test(line)).length,
        pods.length,
      );
      for (const uuid of pods.slice(0, 2)) assert.equal(perigee(["rm", uuid]).status, 0);
      assert.equal(perigee(["gc", "--grace-period=0s"]).status, 0);
      assert.deepEqual(podsLeft(), []);
      assertNoSecret();
    });

    it("each part of an image: the others are listed and run, and gc mends or removes it", () => {
      spoil(Object.values(parts), kind);
      const listed = perigee(["image", "list", "--format", "json"]);
      assert.equal(listed.status, 0, listed.stderr);
      const names = (outcome: Outcome) => (JSON.parse(outcome.stdout) as { name: string }[]).map(({ name }) => name);
      assert.deepEqual(
        names(listed).sort(),
        [whole, ...imageParts.filter((part) => part !== "index").map(broken)].sort(),
      );
      for (const part of imageParts) {
        const ran = perigee(["run", broken(part)]);
        // Trees are rendered again from what is whole; a record or a manifest must be mended first.
        const isRun = !["index", "manifest"].includes(part);
        // Another directory in place of a rootfs is a rootfs, one without our program.
        const isOther = part === "rootfs" && kind === "directory";
        assert.equal(ran.status, isOther ? 127 : isRun ? 7 : 125, `${part}: ${ran.stderr}`);
      }
      assert.equal(perigee(["run", whole]).status, 7);
      const swept = perigee(["gc", "--grace-period=0s"]);
      assert.equal(swept.status, 0, swept.stderr);
      const isMended = kind !== "missing";
      assert.equal(names(perigee(["image", "list", "--format", "json"])).includes(broken("index")), isMended);
      if (isMended) assert.equal(perigee(["run", broken("index")]).status, 7);
      assert.equal(perigee(["run", broken("manifest")]).status, 7);
      const files = imageParts.map((part) => work.path(`example.com-broken-${part}.aci`));
      const again = perigee(["fetch", ...files]);
      assert.equal(again.status, 0, again.stderr);
      assert.equal(perigee(["gc", "--grace-period=0s"]).status, 0);
      const removed = perigee(["image", "rm", ...imageParts.map(broken)]);
      assert.equal(removed.status, 0, removed.stderr);
      assertNoSecret();
    });
  });
}

/** Directories and files that there is one of: a command does its work, or says what is wrong with which path. */
const fixtures: readonly string[] = [
  ...["", "/version", "/lock", "/blobs", "/blobs/sha512", "/manifests", "/index", "/trees", "/staging", "/trash"].map(
    (path) => `store${path}`,
  ),
  ...["pods", "pods/embryo", "pods/prepare", "pods/prepared", "pods/run", "pods/exited-garbage", "pods/garbage"],
  ...["id-ranges", "pod-names", "kernel"],
];
/** What lies about: nobody minds it, and the sweep takes it away. */
const strangers: readonly string[] = [
  "id-ranges/17",
  ...["staging/left", "trash/left", "trees/left", "index/left", "blobs/sha512/left"].map((path) => `store/${path}`),
];
/** For root a mode is no obstacle, and any file is as little a directory as another. */
const fixtureKinds = ["missing", "garbage", "directory", "fifo", "link"];

describe("a place that there is one of", () => {
  for (const path of fixtures) {
    it(path, () => {
      const look = path.split("/")[0] === "store" ? ["image", "list"] : ["list"];
      const place = join(work.data, path.replace(/\/(?:version|blobs\/sha512)$/, ""));
      for (const kind of fixtureKinds) {
        spoil([path], kind);
        // An empty store is a store.
        const isSound = kind === "directory" || (kind === "missing" && path === "store");
        for (const args of [look, ["run", whole], ["gc", "--grace-period=0s"]]) {
          const { status, stderr } = perigee(args);
          const isDone = status === 0 || (args[0] === "run" && status === 7);
          assert.ok(isDone || isSound || stderr.includes(place), `${kind}, ${args.join(" ")}: not named: ${stderr}`);
        }
        assertNoSecret();
      }
    });
  }

  it("what is in the way of nobody is swept", () => {
    for (const kind of fixtureKinds) {
      spoil(strangers, kind);
      assert.equal(perigee(["run", whole]).status, 7, kind);
      const swept = perigee(["gc", "--grace-period=0s"]);
      assert.equal(swept.status, 0, `${kind}: ${swept.stderr}`);
      for (const path of strangers) {
        const isFullClaim = kind === "directory" && path === "id-ranges/17";
        const isThere = lstatSync(join(work.data, path), { throwIfNoEntry: false }) !== undefined;
        assert.equal(isThere, isFullClaim, `${kind} ${path}`);
      }
      assertNoSecret();
    }
  });
});
