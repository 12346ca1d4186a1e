import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { readArchive } from "../../src/image/archive.ts";
import { acceptedLimits, defaultImageLimits, fixedLimits, type ImageLimits } from "../../src/image/limits.ts";
import { fails } from "../helpers/failures.ts";
import { chunks, tarBytes } from "../helpers/tar-bytes.ts";

const read = (bytes: Uint8Array, limits: Partial<ImageLimits> = {}) =>
  readArchive(chunks(bytes), undefined, { limits: { ...defaultImageLimits, ...limits } });

describe("limits of an image (security table 2.2)", () => {
  it("are those of the table", () => {
    const gibi = 1024 ** 3;
    assert.deepEqual(defaultImageLimits, {
      entries: 2_000_000,
      fileSize: 64 * gibi,
      totalSize: 64 * gibi,
      pathLength: 4095,
      componentLength: 255,
      depth: 1024,
      metaRecord: 1024 * 1024,
      xattrValue: 64 * 1024,
      xattrTotal: 128 * 1024,
      ratio: 200,
      xzMemory: 128 * 1024 * 1024,
      zstdWindow: 128 * 1024 * 1024,
    });
  });
  it("are all in docs/limits.md, with these defaults", () => {
    const shown = (value: number): string => {
      for (const [unit, bytes] of [
        ["GiB", 1024 ** 3],
        ["MiB", 1024 ** 2],
        ["KiB", 1024],
      ] as const) {
        if (value % bytes === 0) return `${value / bytes} ${unit}`;
      }
      return value >= 10_000 ? value.toLocaleString("en") : String(value);
    };
    const rows = [...readFileSync("docs/limits.md", "utf8").matchAll(/^\| (`[^|]+) \|[^|]+\| ([^|]+) \|$/gm)];
    const told = rows.flatMap(([, names = "", values = ""]) => {
      const list = values.split(", ");
      return names.split(", ").map((name, index) => [name.replaceAll("`", ""), list[index] ?? list[0]]);
    });
    const expected = Object.entries(defaultImageLimits).map(([name, value]) => [
      name,
      name === "depth" ? "1024" : shown(value),
    ]);
    assert.deepEqual(Object.fromEntries(told), Object.fromEntries(expected));
  });
  it("Z06: the whole tar at the limit and one byte past it, compressed or not", async () => {
    const archive = tarBytes({ members: [{ name: "rootfs/x", body: "x" }] });
    for (const bytes of [archive, gzipSync(archive)]) {
      assert.equal((await read(bytes, { totalSize: archive.length })).tarSize, archive.length);
      await assert.rejects(read(bytes, { totalSize: archive.length - 1 }), fails("LIMIT_EXCEEDED"));
    }
  });
  it("entries at the limit and one past it", async () => {
    const archive = tarBytes({ members: [{ name: "rootfs/x" }] });
    assert.equal((await read(archive, { entries: 3 })).entries, 2);
    await assert.rejects(read(archive, { entries: 2 }), fails("LIMIT_EXCEEDED"));
  });
  it("a failure names the limit that would have to be higher", async () => {
    const archive = tarBytes({ members: [{ name: "rootfs/x", body: "x".repeat(100 * 1024 * 1024) }] });
    const cases: readonly (readonly [Buffer, Parameters<typeof read>[1], RegExp])[] = [
      [archive, { entries: 2 }, /set entries in limits\.d: perigee help limits/],
      [archive, { totalSize: 1024 }, /set totalSize in limits\.d/],
      [archive, { fileSize: 1024 }, /set fileSize, to 104857600 or more, in limits\.d/],
      [gzipSync(archive), { ratio: 2 }, /set ratio in limits\.d/],
    ];
    for (const [bytes, limits, hint] of cases) {
      await assert.rejects(read(bytes, limits), fails("LIMIT_EXCEEDED", /./, { hint }));
    }
  });
  it("what was accepted stays readable, as far as the shim can", () => {
    for (const [name, value] of Object.entries(acceptedLimits)) {
      const isFixed = fixedLimits.some((fixed) => fixed === name);
      assert.equal(
        value,
        isFixed ? Object.entries(defaultImageLimits).find(([key]) => key === name)?.[1] : Number.MAX_SAFE_INTEGER,
      );
    }
  });
});
