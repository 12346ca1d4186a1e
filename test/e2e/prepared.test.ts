/** Pods that are prepared first and run later, or never: what keeps them, what may change meanwhile, and what two callers get. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { imageManifest, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const image = "example.com/guest";
let fingerprint = "";

before(() => {
  work.must(["key", "generate", "--name", "Signer", "--email", "s@example.com", "--no-passphrase"]);
  [{ fingerprint }] = JSON.parse(work.must(["key", "list", "--format", "json"]));
  writeFileSync(work.path("key.asc"), work.must(["key", "export", fingerprint]));
  trust();
  signedAndStored(work.image(image, { exec: ["/guest"] }));
});
after(async () => {
  work.must(["gc", "--grace-period=0s", "--expire-prepared=0s"]);
  assert.deepEqual(work.pods(), []);
  await work.close();
  await assertNothingLeft(clean);
});

function trust(): void {
  work.must(["trust", "--prefix", "example.com", "--fingerprint", fingerprint, work.path("key.asc")]);
}

function signedAndStored(archive: string): void {
  work.must(["sign", "--overwrite", archive]);
  work.must(["fetch", archive]);
}

/** An image of what `from` has and one file, in the store. */
function layer(name: string, version: string, file: string, dependencies: readonly object[] = []): void {
  const place = work.path(`${name}-${version}`);
  mkdirSync(join(place, "rootfs"), { recursive: true });
  writeFileSync(join(place, "rootfs", file), `${name} ${version}\n`);
  const { labels, ...manifest } = imageManifest(`example.com/${name}`) as { labels: readonly { name: string }[] };
  const others = labels.filter((label) => label.name !== "version");
  const document = { ...manifest, labels: [...others, { name: "version", value: version }], dependencies };
  writeFileSync(join(place, "manifest"), JSON.stringify(document));
  work.must(["build", place, `${place}.aci`]);
  signedAndStored(`${place}.aci`);
}

const prepare = (...args: readonly string[]) => work.must(["prepare", ...args]).trim();
const runPrepared = (...args: readonly string[]) => work.perigee(["run-prepared", ...args]);

describe("a prepared pod", () => {
  it("LIFE-50: is listed, keeps its image, and runs once, as it was prepared", () => {
    const uuid = prepare(image, "--", "echo", "hello", ",", "exit", "4");
    const [listed] = work.pods();
    assert.deepEqual([listed?.uuid, listed?.state, listed?.apps[0]?.state], [uuid, "prepared", "created"]);
    assert.match(work.must(["list"]), /prepared/);
    assert.equal(work.perigee(["image", "rm", image]).status, 6);
    assert.equal(work.must(["gc", "--grace-period=0s"]), "");
    const { status, stdout } = runPrepared(uuid);
    assert.deepEqual([status, stdout], [4, "hello\n"]);
    assert.match(runPrepared(uuid).stderr, /WRONG_STATE\]: .* is exited, not prepared/);
  });

  it("LIFE-52: of ten callers at once one runs it, and the others are told", async () => {
    const uuid = prepare(image, "--", "sleep", "1");
    const children = Array.from({ length: 10 }, () => work.start(["run-prepared", uuid]));
    const statuses = await Promise.all(
      children.map((child) => new Promise((resolve) => child.once("exit", (status) => resolve(status)))),
    );
    assert.deepEqual(statuses.toSorted(), [0, ...Array(9).fill(125)]);
  });

  it("LIFE-18: gc removes one that has waited too long, and rm any", () => {
    const [old, other] = [prepare(image), prepare(image)];
    work.must(["rm", other]);
    const said = work.must(["gc", "--expire-prepared=0s"]);
    assert.match(said, new RegExp(`removed ${old}`));
    assert.equal(readdirSync(join(work.data, "pods", "prepared")).length, 0);
    assert.equal(work.perigee(["rm", old]).status, 3);
  });

  it("LIFE-50: a prepare that is killed leaves nothing that gc does not take", async () => {
    const child = work.start(["prepare", "--no-overlay", image]);
    await new Promise((resolve) => setTimeout(resolve, 60));
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    work.must(["gc", "--grace-period=0s", "--expire-prepared=0s"]);
    assert.deepEqual(work.pods(), []);
    assert.deepEqual(readdirSync(join(work.data, "id-ranges")), []);
  });
});

describe("LIFE-51: trust is asked again when it runs", () => {
  it("TRUST-20: not when the key was removed since; again when it is trusted again", () => {
    const uuid = prepare(image, "--", "exit", "7");
    work.must(["trust", "rm", fingerprint]);
    const refused = runPrepared(uuid);
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /^error\[KEY_UNTRUSTED\]: .*example\.com\/guest/m);
    assert.equal(work.pods().find((pod) => pod.uuid === uuid)?.state, "prepared");
    trust();
    assert.equal(runPrepared(uuid).status, 7);
  });

  it("T-D16: of the images that its tree is made of, not of ones that came since", () => {
    layer("base", "1", "base");
    const dependencies = [{ imageName: "example.com/base" }, { imageName: image }];
    layer("top", "1", "top", dependencies);
    const first = prepare("example.com/top", "--", "list", "/");
    layer("base", "2", "newer");
    const before = runPrepared(first);
    assert.equal(before.status, 0, before.stderr);
    assert.match(before.stdout, /base/);
    assert.doesNotMatch(before.stdout, /newer/);
    assert.match(work.must(["run", "example.com/top", "--", "list", "/"]), /newer/);
  });
});

describe("POD-40: --pod-manifest", () => {
  it("LIFE-50: is prepared and run like a line", () => {
    const [{ id }] = JSON.parse(work.must(["image", "list", "--format", "json"])).filter(
      (one: { name: string }) => one.name === image,
    );
    const app = { exec: ["/guest", "echo", "by the manifest"], user: "0", group: "0" };
    const document = { acKind: "PodManifest", acVersion: "0.8.11", apps: [{ name: "one", image: { id }, app }] };
    const file = work.path("pod.json");
    writeFileSync(file, JSON.stringify(document));
    const uuid = prepare("--pod-manifest", file);
    assert.equal(runPrepared(uuid).stdout, "by the manifest\n");
    assert.equal(work.must(["run", "--pod-manifest", file]), "by the manifest\n");
    assert.match(readFileSync(join(work.data, "pods", "run", uuid, "manifest"), "utf8"), /by the manifest/);
  });
});
