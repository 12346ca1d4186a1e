/** Memory of whole processes: what signing and verifying take is the same whatever the size of the file (issue: constant memory). */
import assert from "node:assert/strict";
import { closeSync, ftruncateSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { project, Workspace } from "../helpers/program.ts";
import { end, header, tar } from "../helpers/raw-tar.ts";

const work = new Workspace();
const mebibyte = 1024 * 1024;
let fingerprint = "";
before(() => {
  const made = work.must([
    "key",
    "generate",
    "--name",
    "A",
    "--email",
    "a@example.com",
    "--no-passphrase",
    "--format",
    "json",
  ]);
  ({ fingerprint } = JSON.parse(made) as { fingerprint: string });
  work.must(["key", "export", fingerprint, "--output", work.path("key.asc")]);
  work.must(["trust", "--prefix", "example.com", "--fingerprint", fingerprint, work.path("key.asc")]);
  const report = `process.on("exit", () => require("node:fs").writeFileSync(process.env.PEAK, String(process.resourceUsage().maxRSS)));`;
  writeFileSync(work.path("peak.cjs"), report);
});
after(() => work.close());

/** An image, not compressed, with one file of `size` bytes, all of them holes. */
function sparseImage(size: number): string {
  const path = work.path(`${size}.aci`);
  const manifest = JSON.stringify({ acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/large" });
  const entries = [
    { name: "manifest", body: manifest },
    { name: "rootfs", type: "5", mode: 0o755 },
  ];
  const front = tar(entries).subarray(0, -end.length);
  const file = openSync(path, "w");
  writeSync(file, Buffer.concat([front, header({ name: "rootfs/zeros", size })]));
  ftruncateSync(file, front.length + 512 + size + end.length);
  closeSync(file);
  return path;
}

/** MiB that `perigee ARGS…` had in memory at most, as a process of its own. */
function peakOf(...args: readonly string[]): number {
  const peak = work.path("peak");
  rmSync(peak, { force: true });
  const program = ["--require", work.path("peak.cjs"), join(project, "dist", "perigee.cjs")];
  const { status, stderr } = work.command([process.execPath, ...program, ...work.globals, ...args], {
    env: { PEAK: peak },
    timeoutMs: 300_000,
  });
  assert.equal(status, 0, stderr);
  return Number(readFileSync(peak, "utf8")) / 1024;
}

describe("T-S24: memory does not grow with the file", () => {
  // A sixty-fourth of what lies between the two would be 16 MiB; what garbage is not yet collected may differ by more.
  const difference = 64;
  for (const command of ["sign", "verify"]) {
    it(`${command}: 1 GiB takes at most ${difference} MiB more than 16 MiB`, () => {
      const [small, large] = [16, 1024].map((size) => {
        const image = sparseImage(size * mebibyte);
        try {
          if (command === "sign") return peakOf("sign", "--overwrite", image);
          work.must(["sign", "--overwrite", image]);
          return peakOf("verify", image);
        } finally {
          rmSync(image);
        }
      });
      assert.ok(small !== undefined && large !== undefined);
      assert.ok(large - small < difference, `${small.toFixed(0)} MiB for 16 MiB, ${large.toFixed(0)} MiB for 1 GiB`);
    });
  }
});
