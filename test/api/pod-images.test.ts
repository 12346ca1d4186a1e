import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { podImages } from "../../src/api/pod-images.ts";
import type { RunApp, RunOptions } from "../../src/api/run-options.ts";
import type { Settings } from "../../src/api/settings.ts";
import { hostArch } from "../../src/schema/platform.ts";
import { openStoreSync, type Store } from "../../src/store/layout.ts";
import type { ImageRecord } from "../../src/store/records.ts";
import type { TrustedKey } from "../../src/trust/keystore.ts";
import { fails } from "../helpers/failures.ts";
import { type FakeImage, fakeId, importImage } from "../helpers/images.ts";
import { makeKey, settingsIn, temporary, trust } from "../helpers/trust.ts";

const path = temporary();
let places = 0;

interface Scene {
  readonly settings: Settings;
  readonly store: Store;
  readonly key: TrustedKey;
  /** Stores an image that the key vouches for. */
  signed(image: FakeImage): Promise<ImageRecord>;
  /** podImages of references, with a trusted key only. */
  images(references: readonly (string | RunApp)[], options?: Partial<RunOptions>): ReturnType<typeof podImages>;
}

/** A store, and a key that is trusted for example.com. */
async function scene(overrides: Partial<Settings> = {}): Promise<Scene> {
  const settings = settingsIn(path(String(++places)), overrides);
  const key = await trust(settings.directories.localConfig, await makeKey());
  const store = openStoreSync(settings.directories.data);
  const vouching = { fingerprint: key.fingerprint, keyDigest: key.digest, signedAt: "2026-01-01T00:00:00.000Z" };
  return {
    settings,
    store,
    key,
    signed: (image) => importImage(store, { ...image, signers: [vouching] }),
    images: (references, options = {}) => {
      const apps = references.map((one) => (typeof one === "string" ? { image: one } : one));
      return podImages(settings, store, { apps, ...options });
    },
  };
}

const linux = { name: "os", value: "linux" };
const arch = (value: string) => ({ name: "arch", value });

describe("which stored image is meant", () => {
  it("by name, by name and version, by ID; each with its manifest and its tree", async () => {
    const { signed, images } = await scene();
    const one = await signed({ name: "example.com/web", version: "1" });
    const two = await signed({ name: "example.com/web", version: "2" });
    const found = await images(["example.com/web:1", "example.com/web:2", one.id.slice(0, 20)]);
    assert.deepEqual(
      found.map(({ record, treeId }) => [record.id, treeId]),
      [one, two, one].map(({ id }) => [id, id]),
    );
    assert.deepEqual(Object.entries(found[0]?.manifest ?? {}).slice(0, 1), [["acKind", "ImageManifest"]]);
  });

  it("DISC-10: never one for another host, however new, unless it is asked for", async () => {
    const { signed, images } = await scene();
    const own = await signed({ name: "example.com/web", labels: [linux, arch(hostArch(process.arch))] });
    const other = await signed({ name: "example.com/web", labels: [linux, arch("s390x")] });
    assert.deepEqual((await images(["example.com/web"]))[0]?.record.id, own.id);
    assert.deepEqual((await images(["example.com/web,arch=s390x"]))[0]?.record.id, other.id);
  });

  it("under `never` nothing is fetched; a prefix of nothing is not found", async () => {
    const { images } = await scene();
    await assert.rejects(images(["example.com/none"], { pullPolicy: "never" }), fails("NOT_FOUND"));
    await assert.rejects(images(["sha512-00000000"]), fails("NOT_FOUND"));
  });

  it("under `new` what is stored needs no network, what is not asks for it; `update` always does", async () => {
    const asked = { http: () => Promise.reject(new Error("the network was asked")) };
    const { signed, images } = await scene(asked);
    await signed({ name: "example.com/web" });
    assert.equal((await images(["example.com/web"])).length, 1);
    await assert.rejects(images(["example.com/none"]), /the network was asked/);
    await assert.rejects(images(["example.com/web"], { pullPolicy: "update" }), /the network was asked/);
  });

  it("files are read anew, and a signature is for those only", async () => {
    const { signed, images } = await scene();
    await signed({ name: "example.com/web" });
    await assert.rejects(images([path("none.aci")]), fails("NOT_FOUND"));
    await assert.rejects(images([{ image: "example.com/web", signature: "web.asc" }]), fails("USAGE", /signature/));
  });
});

describe("trust when a pod runs (TRUST-20)", () => {
  it("an image that nobody vouched for runs only with --insecure-options=image", async () => {
    const { store, images } = await scene();
    await importImage(store, { name: "example.com/web" });
    await assert.rejects(images(["example.com/web"]), fails("SIGNATURE_MISSING", /web/, { hint: /insecure-options/ }));
    const insecure = await scene({ insecure: new Set(["image"]) });
    await importImage(insecure.store, { name: "example.com/web" });
    assert.equal((await insecure.images(["example.com/web"])).length, 1);
  });

  it("T-S27: a key that was removed or masked takes its images with it", async () => {
    const { settings, signed, images, key } = await scene();
    await signed({ name: "example.com/web" });
    assert.equal((await images(["example.com/web"])).length, 1);
    writeFileSync(key.path, "", { mode: 0o644 });
    await assert.rejects(
      images(["example.com/web"]),
      fails("KEY_UNTRUSTED", /web/, { cause: new RegExp(key.fingerprint) }),
    );
    rmSync(key.path);
    await assert.rejects(images(["example.com/web"]), fails("KEY_UNTRUSTED"));
    // Trusted for somebody else's names it does not count either.
    const other = await makeKey();
    await trust(settings.directories.localConfig, other);
    await assert.rejects(images(["example.com/web"]), fails("KEY_UNTRUSTED"));
  });

  it("a key file that changed is looked into: the same key with another certificate still vouches", async () => {
    const { signed, images, key } = await scene();
    await signed({ name: "example.com/web" });
    writeFileSync(key.path, Buffer.concat([key.armored, Buffer.from("\n")]), { mode: 0o644 });
    assert.equal((await images(["example.com/web"])).length, 1);
    writeFileSync(key.path, "no key", { mode: 0o644 });
    await assert.rejects(images(["example.com/web"]), fails("KEY_INVALID"));
  });

  it("T-D16: what an image depends on is vouched for by its own name", async () => {
    const { store, signed, images } = await scene();
    const dependencies = [{ imageName: "example.com/base" }];
    const { id } = await signed({ name: "example.com/web", dependencies });
    const base = await importImage(store, { name: "example.com/base" });
    await assert.rejects(images(["example.com/web"]), fails("SIGNATURE_MISSING", /base/));
    await signed({ name: "example.com/base" });
    const [found] = await images(["example.com/web"]);
    assert.equal(found?.record.id, id);
    assert.match(found?.treeId ?? "", /^deps-sha512-/);
    assert.notEqual(base.id, fakeId("none"));
  });

  it("every image of the pod counts", async () => {
    const { store, signed, images } = await scene();
    await signed({ name: "example.com/web" });
    await importImage(store, { name: "example.com/log" });
    await assert.rejects(images(["example.com/web", "example.com/log"]), fails("SIGNATURE_MISSING", /log/));
  });
});
