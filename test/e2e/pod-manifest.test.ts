/** Pods from a pod manifest: what it says about the pod as a whole reaches the kernel, and what it names is fetched. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { endPods, guestWork } from "../helpers/guest-work.ts";
import { tableOf } from "../helpers/program.ts";
import { caFile, ownKey, serveSite, signedImage } from "../helpers/site-world.ts";

const work = guestWork(endPods);
let id = "";
before(() => {
  [{ id }] = JSON.parse(work.must(["image", "list", "--format", "json"]));
});

const app = (...exec: readonly string[]) => ({ exec: ["/guest", ...exec], user: "0", group: "0" });

function written(document: object): string {
  const file = work.path("pod.json");
  writeFileSync(file, JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", ...document }));
  return file;
}

const run = (document: object, ...options: readonly string[]) =>
  work.run(["--pod-manifest", written(document), ...options]);

/** Files of the cgroups of a running pod, by controller; of the pod itself, and of one of its apps. */
function limitOf(uuid: string, file: string, name?: string): string {
  const record = JSON.parse(readFileSync(join(work.data, "pods", "run", uuid, "record"), "utf8"));
  const directories = (record.cgroups as readonly string[]).filter((path) =>
    path.endsWith(name === undefined ? `perigee-${uuid}` : `/app-${name}`),
  );
  for (const directory of directories) {
    try {
      return readFileSync(join(directory, file), "utf8").trim();
    } catch {
      // Of another controller.
    }
  }
  return "";
}

describe("--pod-manifest", () => {
  it("POD-2, POD-11: its volumes are mounted in each app, POD-9: and an app's own in that one alone", async () => {
    mkdirSync(work.path("shared"), { recursive: true });
    writeFileSync(work.path("shared", "file"), "of the host\n");
    const own = { volume: "own", path: "/own", appVolume: { name: "own", kind: "empty", mode: "0755" } };
    const mounts = [{ volume: "data", path: "/data" }, own];
    const manifest = written({
      volumes: [{ name: "data", kind: "host", source: work.path("shared"), readOnly: true }],
      apps: [
        // The first has the input, and looks when that has ended.
        { name: "two", image: { id }, app: app("cat", ",", "list", "/own", ",", "list", "/data"), mounts },
        { name: "one", image: { id }, app: app("write", "/own/mark", "x", ",", "list", "/data"), mounts },
      ],
    });
    const pod = work.startRun(["--pod-manifest", manifest]);
    await pod.until(/^write\.\/own\/mark=ok$/m);
    pod.child.stdin?.end();
    assert.equal(await pod.ended, 0, pod.stderr);
    assert.equal(pod.stdout.match(/file/g)?.length, 2, pod.stdout);
    assert.doesNotMatch(pod.stdout, /list\..*mark/);
  });

  it("POD-15: isolators of the pod bound its apps, in the kernel (ACE-21)", () => {
    const isolators = (limit: string) => [{ name: "resource/memory", value: { limit } }];
    const apps = [
      { name: "small", image: { id }, app: { ...app("wait"), isolators: isolators("32Mi") } },
      { name: "large", image: { id }, app: { ...app("wait"), isolators: isolators("1Gi") } },
    ];
    const file = written({ apps, isolators: isolators("64Mi") });
    const uuid = work.must(["--insecure-options=image", "run", "--detach", "--pod-manifest", file]).trim();
    const limits = [undefined, "small", "large"].map(
      (name) => limitOf(uuid, "memory.limit_in_bytes", name) || limitOf(uuid, "memory.max", name),
    );
    assert.deepEqual(
      limits.map(Number),
      [64, 32, 64].map((mebibytes) => mebibytes * 1024 * 1024),
    );
    work.must(["stop", "--force", uuid]);
  });

  it("POD-8, POD-18: a root that cannot be written to; labels and annotations are kept", () => {
    const annotations = [{ name: "example.com/who", value: "me" }];
    const one = { name: "one", image: { id }, app: app("write", "/x", "y"), readOnlyRootFS: true, annotations };
    const outcome = run({ apps: [one], annotations, userLabels: { "any key": "x" } });
    assert.match(outcome.stdout, /EROFS|Read-only/);
    const uuid = work.pods().at(-1)?.uuid ?? "";
    const kept = JSON.parse(readFileSync(join(work.data, "pods", "run", uuid, "manifest"), "utf8"));
    assert.deepEqual([kept.annotations, kept.apps[0].annotations], [annotations, annotations]);
    assert.deepEqual(kept.userLabels, { "any key": "x" });
  });

  it("plan says what run would do with it, and prints what is wrong with it with its place", () => {
    const file = written({ apps: [{ name: "one", image: { id }, app: app("exit", "0") }] });
    assert.match(work.must(["--insecure-options=image", "plan", "--pod-manifest", file]), /one/);
    writeFileSync(file, '{"acKind": "PodManifest",\n "acVersion": "0.8.11",\n "apps": [{"name": "One"}]}\n');
    const { status, stderr } = work.perigee(["plan", "--pod-manifest", file]);
    assert.equal(status, 1);
    assert.match(stderr, /3:20 apps\[0\]\.name: TYPE-2/);
  });

  it("POD-41: an image that is not stored is fetched by its name, verified, and must have the ID", async () => {
    const name = "example.com/named";
    const fingerprint = ownKey(work, "Signer");
    const archive = signedImage(work, name);
    const { id: named } = JSON.parse(
      work.must([
        "build",
        "--format",
        "json",
        "--overwrite",
        "--manifest",
        work.path("example.com-named-1.0.0.json"),
        "--rootfs",
        work.path("example.com-named-1.0.0-rootfs"),
        work.path("again.aci"),
      ]),
    );
    work.must(["publish", "--out", work.path("site"), "--url", "https://example.com", archive]);
    const port = await serveSite(work, work.path("site"));
    writeFileSync(work.path("key.asc"), work.must(["key", "export", fingerprint]));
    work.must(["trust", "--prefix", "example.com", "--fingerprint", fingerprint, work.path("key.asc")]);
    const way = ["--ca-file", caFile(work), "--connect-to", `example.com:127.0.0.1:${port}`];
    const pod = (wanted: string) => {
      const labels = [{ name: "version", value: "1.0.0" }];
      return written({ apps: [{ name: "one", image: { id: wanted, name, labels } }] });
    };
    const wrong = work.perigee([...way, "run", "--pod-manifest", pod(`sha512-${"0".repeat(128)}`)]);
    assert.deepEqual([wrong.status, /DIGEST_MISMATCH/.test(wrong.stderr)], [125, true], wrong.stderr);
    work.must(["image", "rm", name]);
    const fetched = work.perigee([...way, "run", "--pod-manifest", pod(named)]);
    assert.equal(fetched.status, 7, fetched.stderr);
    rmSync(work.path("site"), { recursive: true });
  });
});

describe("the environment of an app of a pod manifest", () => {
  it("is what the document says, not the caller's", () => {
    const environment = [{ name: "OWN", value: "1" }];
    const { stdout } = run({ apps: [{ name: "one", image: { id }, app: { ...app("env"), environment } }] });
    const seen = tableOf(stdout, "env");
    assert.equal(seen["OWN"], "1");
    assert.equal(seen["NO_COLOR"], undefined);
  });
});
