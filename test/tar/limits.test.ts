import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultTarLimits, type TarLimits } from "../../src/tar/limits.ts";
import { readTar } from "../../src/tar/read.ts";
import { fails } from "../helpers/failures.ts";
import { chunks, type RawMember, tarBytes } from "../helpers/tar-bytes.ts";

async function read(members: readonly RawMember[], limits: Partial<TarLimits>): Promise<void> {
  const source = chunks(tarBytes({ members, bare: true }));
  for await (const _ of readTar(source, { ...defaultTarLimits, ...limits }));
}

const long = (length: number) => ({ repeat: "x", count: length });

describe("limits of an archive, each at the limit and one above", () => {
  const cases: readonly (readonly [string, keyof TarLimits, number, (size: number) => readonly RawMember[]])[] = [
    ["F13: entries", "entries", 3, (n) => Array.from({ length: n }, (_, i) => ({ name: `f${i}` }))],
    ["D18, N02: bytes of a file", "fileSize", 100, (n) => [{ name: "f", body: long(n) }]],
    ["P12: bytes of a path", "pathLength", 20, (n) => [{ name: long(n) }]],
    ["P13: bytes of a component", "componentLength", 20, (n) => [{ name: long(n) }]],
    ["P14: levels", "depth", 20, (n) => [{ name: { repeat: "d/", count: n }, type: "5" }]],
    ["S14: bytes of a link target", "pathLength", 20, (n) => [{ name: "f", type: "2", link: long(n) }]],
    ["N24: bytes of an extended header", "metaRecord", 100, (n) => [{ name: "f", pax: [["comment", long(n - 13)]] }]],
    ["N24: bytes of a GNU name", "metaRecord", 100, (n) => [{ name: "f", longName: long(n - 1) }]],
    ["X05: bytes of an attribute", "xattrValue", 50, (n) => [{ name: "f", pax: [["SCHILY.xattr.user.a", long(n)]] }]],
    [
      "X05: bytes of all attributes",
      "xattrTotal",
      50,
      (n) => [{ name: "f", pax: [["SCHILY.xattr.user.a", long(n - 19)]] }],
    ],
  ];
  for (const [what, limit, size, members] of cases) {
    it(what, async () => {
      await read(members(size), { [limit]: size });
      await assert.rejects(read(members(size + 1), { [limit]: size }), fails("LIMIT_EXCEEDED"));
    });
  }

  it("Z06: bytes of the whole archive, its end included", async () => {
    const members = [{ name: "f", body: long(512) }];
    await read(members, { totalSize: 4 * 512 });
    await assert.rejects(read(members, { totalSize: 4 * 512 - 1 }), fails("LIMIT_EXCEEDED"));
    await assert.rejects(read(members, { totalSize: 512 }), fails("LIMIT_EXCEEDED"));
  });

  it("a size is refused before its bytes are asked for (N02)", async () => {
    const huge = [{ name: "f", raw: { size: "77777777777\0" } }];
    await assert.rejects(read(huge, { fileSize: 2 ** 40, totalSize: 2 ** 20 }), fails("LIMIT_EXCEEDED"));
  });
});
