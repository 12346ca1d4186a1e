import assert from "node:assert/strict";
import { mkdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { readLayoutDirectory, readManifestFile } from "../../src/image/layout-directory.ts";
import { manifestLimit } from "../../src/schema/grammar.ts";
import { fails } from "../helpers/failures.ts";
import { makeTemporary } from "../helpers/temporary.ts";

describe("readLayoutDirectory (ACI-3)", () => {
  let temporary: Awaited<ReturnType<typeof makeTemporary>>;
  const at = (name: string) => join(temporary.path, name);
  const read = () => readLayoutDirectory(temporary.path);

  beforeEach(async () => {
    temporary = await makeTemporary();
    await writeFile(at("manifest"), "{}");
    await mkdir(at("rootfs"));
  });
  afterEach(() => temporary.remove());

  it("finds both parts", async () => {
    const { manifest, manifestPath, rootfs } = await read();
    assert.deepEqual([String(manifest), manifestPath, rootfs], ["{}", at("manifest"), at("rootfs")]);
  });
  it("a directory that is not there", async () => {
    await assert.rejects(readLayoutDirectory(at("none")), fails("NOT_FOUND", /none is not there/));
  });
  it("a file instead of a directory", async () => {
    await assert.rejects(
      readLayoutDirectory(at("manifest")),
      fails("IMAGE_INVALID", /not a directory/, { hint: /rootfs/ }),
    );
  });
  it("A01: no manifest", async () => {
    await rm(at("manifest"));
    await assert.rejects(
      read(),
      fails("IMAGE_INVALID", /manifest is missing/, { hint: /--manifest FILE --rootfs DIR/ }),
    );
  });
  it("A08: no rootfs", async () => {
    await rm(at("rootfs"), { recursive: true });
    await assert.rejects(read(), fails("IMAGE_INVALID", /rootfs is missing/));
  });
  it("A07: something beside them", async () => {
    await writeFile(at("README\u001b"), "");
    await assert.rejects(read(), fails("IMAGE_INVALID", /README\\x1b lies beside/, { hint: /ACI-3/ }));
  });
  it("A08, T-R22: rootfs is a link", async () => {
    await rm(at("rootfs"), { recursive: true });
    await symlink("/", at("rootfs"));
    await assert.rejects(read(), fails("IMAGE_INVALID", /rootfs is not a directory/));
  });
  it("A04, T-R22: the manifest is a link", async () => {
    await rm(at("manifest"));
    await symlink("/etc/hostname", at("manifest"));
    await assert.rejects(read(), fails("IMAGE_INVALID", /no regular file/));
  });
  it("A05: a manifest of the limit, and of one byte more", async () => {
    await truncate(at("manifest"), manifestLimit);
    assert.equal((await readManifestFile(at("manifest"))).length, manifestLimit);
    await truncate(at("manifest"), manifestLimit + 1);
    await assert.rejects(read(), fails("LIMIT_EXCEEDED"));
  });
});
