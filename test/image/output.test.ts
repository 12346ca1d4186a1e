import assert from "node:assert/strict";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { silentLog } from "../../src/base/log.ts";
import { requireFree, requireImageName, writeImage, writeOutput } from "../../src/image/output.ts";
import { fails } from "../helpers/failures.ts";
import { sha512 } from "../helpers/images.ts";
import { chunks } from "../helpers/tar-bytes.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const tar = Buffer.alloc(100_000, "tar");

describe("writeImage", () => {
  it("writes the same image plain and compressed, under its ID", async (t) => {
    const home = await temporaryDirectory(t);
    for (const compression of ["gzip", "none"] as const) {
      const output = join(home, `${compression}.aci`);
      const options = { output, overwrite: false, task: "testing", compression, log: silentLog };
      const written = await writeImage(chunks(tar), options);
      const bytes = await readFile(output);
      assert.deepEqual(written, { id: `sha512-${sha512(tar)}`, path: output, size: bytes.length });
      assert.deepEqual(compression === "gzip" ? gunzipSync(bytes) : bytes, tar);
    }
  });
});

describe("writeOutput", () => {
  it("leaves what was there, and nothing else, when the source fails or it is interrupted", async (t) => {
    const home = await temporaryDirectory(t);
    const output = join(home, "out.aci");
    await writeFile(output, "before");
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield tar;
      throw new Error("the source broke");
    }
    await assert.rejects(writeOutput(broken(), { output, overwrite: true }), fails("IO_FAILED", /cannot write/));
    const signal = AbortSignal.abort();
    await assert.rejects(writeOutput(chunks(tar), { output, overwrite: true, signal }), fails("INTERRUPTED"));
    assert.equal(await readFile(output, "utf8"), "before");
    assert.deepEqual(await readdir(home), ["out.aci"]);
  });
});

describe("requireFree", () => {
  it("lets only a regular file be replaced, and only on demand", async (t) => {
    const home = await temporaryDirectory(t);
    await mkdir(join(home, "directory"));
    await symlink("nowhere", join(home, "link"));
    await writeFile(join(home, "file"), "");
    for (const name of ["directory", "link", "file"]) {
      await assert.rejects(requireFree(join(home, name), false), fails("ALREADY_EXISTS"));
      if (name !== "file") await assert.rejects(requireFree(join(home, name), true), fails("ALREADY_EXISTS"));
    }
    await requireFree(join(home, "file"), true);
    await requireFree(join(home, "none"), false);
  });
});

describe("requireImageName (ACI-1)", () => {
  it("ends in .aci", () => {
    requireImageName("a.aci");
    assert.throws(() => requireImageName("a.tar"), fails("USAGE", /ACI-1/, { hint: /a\.tar\.aci/ }));
  });
});
