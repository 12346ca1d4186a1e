import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { boundsChecker, requireTotal, withinRatio } from "../../src/image/bounds.ts";
import { decompress } from "../../src/image/compression.ts";
import { gzip } from "../../src/image/gzip.ts";
import { defaultImageLimits } from "../../src/image/limits.ts";
import type { TarEntry } from "../../src/tar/entry.ts";
import { fails } from "../helpers/failures.ts";
import { collect } from "../helpers/tar-bytes.ts";
import { tarEntry as entry } from "../helpers/tar-entry.ts";

const attribute = (length: number, name = "user.a") => ({ name, value: Buffer.alloc(length) });
const nameLength = "SCHILY.xattr.user.a".length;

describe("boundsChecker (ACI-12)", () => {
  const rows = [
    ["entries", { entries: 2 }, [entry(), entry()], [entry(), entry(), entry()]],
    ["fileSize", { fileSize: 7 }, [entry({ size: 7 })], [entry({ size: 8 })]],
    ["totalSize", { totalSize: 9 }, [entry({ size: 4 }), entry({ size: 5 })], [entry({ size: 4 }), entry({ size: 6 })]],
    ["pathLength", { pathLength: 3 }, [entry({ link: Buffer.alloc(3) })], [entry({ link: Buffer.alloc(4) })]],
    ["xattrValue", { xattrValue: 3 }, [entry({ xattrs: [attribute(3)] })], [entry({ xattrs: [attribute(4)] })]],
    [
      "xattrTotal",
      { xattrTotal: nameLength + 5 },
      [entry({ xattrs: [attribute(5)] })],
      [entry({ xattrs: [attribute(6)] })],
    ],
  ] as const;
  for (const [name, limits, good, bad] of rows) {
    it(`${name}: what is at the limit passes, one more is refused with the limit's name`, () => {
      const run = (entries: readonly TarEntry[]) =>
        entries.forEach(boundsChecker({ ...defaultImageLimits, ...limits }));
      run(good);
      assert.throws(
        () => run(bad),
        fails("LIMIT_EXCEEDED", /the image would hold/, { hint: new RegExp(`raise ${name} `) }),
      );
    });
  }
  it("more attributes than an image holds of a file", () => {
    const xattrs = (count: number) => Array.from({ length: count }, (_, index) => attribute(0, `user.${index}`));
    boundsChecker(defaultImageLimits)(entry({ xattrs: xattrs(256) }));
    assert.throws(
      () => boundsChecker(defaultImageLimits)(entry({ xattrs: xattrs(257) })),
      fails("LIMIT_EXCEEDED", /257/),
    );
  });
});

describe("requireTotal (ACI-12)", () => {
  it("at the limit and one past it", () => {
    requireTotal(7, 7);
    assert.throws(() => requireTotal(8, 7), fails("LIMIT_EXCEEDED", /more than 7 bytes/));
  });
});

describe("withinRatio (ACI-12)", () => {
  const mebi = 1024 * 1024;
  async function make(blocks: number, ratio: number): Promise<Buffer> {
    let given = 0;
    async function* zeros(): AsyncGenerator<Uint8Array> {
      for (let index = 0; index < blocks; index += 1) {
        given += mebi;
        yield Buffer.alloc(mebi);
      }
    }
    return await collect(withinRatio(gzip(zeros()), () => given, ratio));
  }
  it("refuses what a reader would refuse, and lets through what one reads", async () => {
    const limits = { ...defaultImageLimits, ratio: 200 };
    await assert.rejects(
      make(65, 200),
      fails("LIMIT_EXCEEDED", /compressed/, { hint: /raise ratio .*--no-compression/ }),
    );
    const plain = await make(64, 200);
    assert.equal((await collect(decompress(once(plain), limits))).length, 64 * mebi);
    const loose = await make(65, 2000);
    await assert.rejects(collect(decompress(once(loose), limits)), fails("LIMIT_EXCEEDED"));
  });
});

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
