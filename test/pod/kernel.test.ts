import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { canIdmapOverlay } from "../../src/pod/kernel.ts";
import { probeKernelSync } from "../../src/shim/probe.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

describe("canIdmapOverlay", () => {
  it("says what the shim found, and remembers it for this kernel and this file system", async (t) => {
    const data = await temporaryDirectory(t);
    const { idmapOverlay } = probeKernelSync(data);
    assert.equal(canIdmapOverlay(data), idmapOverlay);
    const here = `${release()} ${statSync(data).dev}`;
    assert.equal(readFileSync(join(data, "kernel"), "utf8"), `${here} ${idmapOverlay ? "idmap" : "copy"}\n`);
    for (const [word, expected] of [
      ["idmap", true],
      ["copy", false],
    ] as const) {
      writeFileSync(join(data, "kernel"), `${here} ${word}\n`);
      assert.equal(canIdmapOverlay(data), expected, `it did not believe ${word}`);
    }
  });

  it("finds out again when the memory is torn, of another kernel, or of another file system", async (t) => {
    const data = await temporaryDirectory(t);
    const { idmapOverlay } = probeKernelSync(data);
    const wrong = idmapOverlay ? "copy" : "idmap";
    const { dev } = statSync(data);
    for (const text of [
      "",
      `${release()} ${dev} ${wrong}`,
      `0.1 ${dev} ${wrong}\n`,
      `${release()} ${dev + 1} ${wrong}\n`,
    ]) {
      writeFileSync(join(data, "kernel"), text);
      assert.equal(canIdmapOverlay(data), idmapOverlay, JSON.stringify(text));
      assert.match(readFileSync(join(data, "kernel"), "utf8"), idmapOverlay ? /idmap\n$/ : /copy\n$/);
    }
  });
});
