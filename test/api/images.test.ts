import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { extractImage, removeImage, removeImages, showImage } from "../../src/api/images.ts";
import { loadSettings, type Settings } from "../../src/api/settings.ts";
import { openPods } from "../../src/pod/pod.ts";
import { writePodRecord } from "../../src/pod/record.ts";
import { hostArch } from "../../src/schema/platform.ts";
import { blobPath, openStore, type Store } from "../../src/store/layout.ts";
import { listRecordsSync, readManifestSync } from "../../src/store/lookup.ts";
import { treeIdOf } from "../../src/store/trees.ts";
import { fails } from "../helpers/failures.ts";
import { type FakeImage, importImage, importReal, makeImage } from "../helpers/images.ts";
import { contentOf } from "../helpers/store-check.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

interface Setup {
  readonly settings: Settings;
  readonly store: Store;
  /** A directory beside the data directory. */
  readonly home: string;
}

async function setUp(t: TestContext): Promise<Setup> {
  const home = await temporaryDirectory(t);
  const data = join(home, "data");
  const store = await openStore(data);
  return { settings: await loadSettings({ dir: data }), store, home };
}

const web = (changes: Partial<FakeImage> = {}) =>
  makeImage({ name: "example.com/web", version: "1.0", ...changes }, [
    { path: "bin", type: "directory" },
    { path: "bin/web", content: "#!web", mode: 0o4755 },
  ]);

const uuid = "6f3a1c52-2b9e-4d0c-9f57-0a6f6a3b7c11";

/** A pod that ended, with an app whose root is `treeId`. */
async function recordPod(settings: Settings, treeId: string): Promise<void> {
  const directory = join(openPods(settings.directories.data), "run", uuid);
  await mkdir(directory, { recursive: true });
  const app = { name: "app", imageId: "sha512-00", imageName: "example.com/two", treeId };
  writePodRecord(directory, {
    uuid,
    createdAt: "2026-01-01T00:00:00Z",
    apps: [app],
    network: "none",
    hostname: "pod",
    cgroups: [],
  });
}

describe("showImage", () => {
  it("gives the bytes of the manifest by ID, by name, and of a file", async (t) => {
    const { settings, store, home } = await setUp(t);
    const image = await web();
    const { id } = await importReal(store, image);
    const file = join(home, "web.aci");
    await writeFile(file, image.archive ?? "");
    const shown = await Promise.all(
      [id, id.slice(0, 15), "example.com/web", "example.com/web:1.0", file].map((name) =>
        showImage(settings, { image: name }),
      ),
    );
    assert.equal(new Set(shown.map(String)).size, 1);
    assert.equal(JSON.parse(String(shown[0])).name, "example.com/web");
  });

  it("of several images with a name shows the one for this host, as run takes it", async (t) => {
    const { settings, store } = await setUp(t);
    const name = "example.com/multi";
    const label = (arch: string) => [
      { name: "os", value: "linux" },
      { name: "arch", value: arch },
    ];
    const own = hostArch(process.arch);
    const here = await importImage(store, { name, labels: label(own) });
    await importImage(store, { name, labels: label(own === "amd64" ? "aarch64" : "amd64") });
    assert.deepEqual(await showImage(settings, { image: name }), readManifestSync(store, here.id));
  });

  it("is NOT_FOUND, AMBIGUOUS or USAGE for what is no stored image", async (t) => {
    const { settings } = await setUp(t);
    for (const [image, code] of [
      ["example.com/none", "NOT_FOUND"],
      ["sha512-0123456789", "NOT_FOUND"],
      ["./none.aci", "NOT_FOUND"],
      ["sha512-01", "USAGE"],
      ["https://example.com/web.aci", "USAGE"],
    ] as const) {
      await assert.rejects(showImage(settings, { image }), fails(code), image);
    }
  });
});

describe("removeImages", () => {
  it("takes images out, by ID and by name, and frees their space (I6)", async (t) => {
    const { settings, store } = await setUp(t);
    const empty = await contentOf(store);
    const one = await importReal(store, await web());
    await importReal(store, await makeImage({ name: "example.com/two" }, []));
    const removed = await removeImages(settings, { images: [one.id.slice(0, 20), "example.com/two", one.id] });
    assert.deepEqual(
      removed.map((image) => image.name),
      ["example.com/web", "example.com/two"],
    );
    assert.deepEqual(
      (await contentOf(store)).filter((path) => !/^blobs\/sha512\/..$/.test(path)),
      empty,
    );
  });

  it("lists what a name means when that is several images, and removes none", async (t) => {
    const { settings, store } = await setUp(t);
    await importReal(store, await web());
    await importReal(store, await web({ version: "2.0" }));
    await assert.rejects(
      removeImage(settings, { image: "example.com/web" }),
      fails("AMBIGUOUS", /sha512-.*example\.com\/web:[12]\.0.*sha512-.*example\.com\/web:[12]\.0/),
    );
    assert.equal(listRecordsSync(store).length, 2);
    await removeImage(settings, { image: "example.com/web:2.0" });
    assert.equal(listRecordsSync(store).length, 1);
  });

  it("removes all or none: one unknown or in use stops it", async (t) => {
    const { settings, store } = await setUp(t);
    const one = await importReal(store, await web());
    const two = await importReal(store, await makeImage({ name: "example.com/two" }, []));
    await assert.rejects(removeImages(settings, { images: [one.id, "example.com/none"] }), fails("NOT_FOUND"));
    await recordPod(settings, await treeIdOf(store, two.id));
    await assert.rejects(
      removeImages(settings, { images: [one.id, two.id] }),
      fails("LOCKED", new RegExp(`example\\.com/two is used by pod ${uuid}`)),
    );
    assert.equal(listRecordsSync(store).length, 2);
  });

  it("takes no file and no URL for a stored image", async (t) => {
    const { settings } = await setUp(t);
    await assert.rejects(removeImage(settings, { image: "./web.aci" }), fails("USAGE", /ID or its name/));
  });
});

describe("extractImage", () => {
  it("writes manifest and rootfs, for the owner alone (T-R50)", async (t) => {
    const { settings, store, home } = await setUp(t);
    const record = await importReal(store, await web());
    const directory = join(home, "out");
    const extracted = await extractImage(settings, { image: "example.com/web", directory });
    const { entries, fileBytes, ...rest } = extracted;
    assert.deepEqual(rest, { id: record.id, name: "example.com/web", directory, skipped: [] });
    assert.ok(entries >= 3 && fileBytes > 0);
    assert.deepEqual((await readdir(directory)).sort(), ["manifest", "rootfs"]);
    assert.equal((await stat(directory)).mode & 0o7777, 0o700);
    assert.equal((await stat(join(directory, "rootfs/bin/web"))).mode & 0o7777, 0o4755);
    assert.deepEqual(await readFile(join(directory, "manifest")), await showImage(settings, { image: record.id }));
    assert.deepEqual((await readdir(home)).sort(), ["data", "out"]);
  });

  it("writes the files alone on demand, also of an .aci, also into an empty directory", async (t) => {
    const { settings, home } = await setUp(t);
    const file = join(home, "web.aci");
    await writeFile(file, (await web()).archive ?? "");
    const directory = join(home, "out");
    await mkdir(directory);
    await extractImage(settings, { image: file, directory, rootfsOnly: true });
    assert.deepEqual(await readdir(directory, { recursive: true }), ["bin", "bin/web"]);
  });

  it("replaces a directory only when it is told to", async (t) => {
    const { settings, store, home } = await setUp(t);
    await importReal(store, await web());
    const directory = join(home, "out");
    await mkdir(directory);
    await writeFile(join(directory, "mine"), "x");
    await symlink("out", join(home, "link"));
    const options = { image: "example.com/web", directory: join(home, "link") };
    await assert.rejects(
      extractImage(settings, options),
      fails("ALREADY_EXISTS", /not empty/, { hint: /--overwrite/ }),
    );
    assert.deepEqual(await readdir(directory), ["mine"]);
    await extractImage(settings, { ...options, overwrite: true });
    assert.deepEqual((await readdir(directory)).sort(), ["manifest", "rootfs"]);
    assert.deepEqual((await readdir(home)).sort(), ["data", "link", "out"]);
  });

  it("refuses /, the place of the store, a file and a missing parent", async (t) => {
    const { settings, store, home } = await setUp(t);
    await importReal(store, await web());
    await writeFile(join(home, "file"), "x");
    await symlink("/", join(home, "root"));
    for (const [directory, code] of [
      ["/", "USAGE"],
      [join(home, "root"), "USAGE"],
      [home, "USAGE"],
      [join(home, "data"), "USAGE"],
      [join(home, "file"), "ALREADY_EXISTS"],
      [join(home, "none", "out"), "NOT_FOUND"],
    ] as const) {
      const options = { image: "example.com/web", directory, overwrite: true };
      await assert.rejects(extractImage(settings, options), fails(code), directory);
    }
    assert.deepEqual((await readdir(home)).sort(), ["data", "file", "root"]);
  });

  it("leaves everything as it was when the archive is broken or it is interrupted", async (t) => {
    const { settings, store, home } = await setUp(t);
    const record = await importReal(store, await web());
    const directory = join(home, "out");
    await mkdir(directory);
    await writeFile(join(directory, "mine"), "x");
    const options = { image: "example.com/web", directory, overwrite: true };
    await assert.rejects(extractImage(settings, { ...options, signal: AbortSignal.abort() }), fails("INTERRUPTED"));
    const path = blobPath(store, record.archive.sha512);
    const bytes = await readFile(path);
    bytes.write("#!bad", bytes.indexOf("#!web"));
    await chmod(path, 0o600);
    await writeFile(path, bytes);
    await assert.rejects(extractImage(settings, options), fails("DIGEST_MISMATCH"));
    await rm(path);
    await assert.rejects(extractImage(settings, options), fails("NOT_FOUND"));
    assert.deepEqual(await readdir(directory), ["mine"]);
    assert.deepEqual((await readdir(home)).sort(), ["data", "out"]);
  });
});
