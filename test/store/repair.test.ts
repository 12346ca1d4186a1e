import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { checkStatus, checkStore, type StoreFinding } from "../../src/api/check-store.ts";
import { silentLog } from "../../src/base/log.ts";
import { withHostLabels } from "../../src/schema/platform.ts";
import { answersOf } from "../../src/store/answers.ts";
import {
  blobPath,
  indexOf,
  manifestPath,
  manifestsOf,
  quarantineOf,
  recordPath,
  stagingOf,
  trashOf,
  treeMarkOf,
  treePath,
  turnsOf,
} from "../../src/store/layout.ts";
import { listRecordsSync, readManifestSync, readRecordSync } from "../../src/store/lookup.ts";
import { newestKey, newestOf, noteNewest, readNewest } from "../../src/store/newest.ts";
import { encodeSelfChecking } from "../../src/store/records.ts";
import { ensureTree } from "../../src/store/trees.ts";
import { sha512 } from "../helpers/images.ts";
import { type StoredImages, storedImages } from "../helpers/stored-images.ts";

interface Case {
  readonly why: string;
  /** @returns what must hold after the repair */
  damage(world: StoredImages): Promise<() => void> | (() => void);
  readonly kind: StoreFinding["kind"];
  readonly outcome: StoreFinding["outcome"];
  /** Before and after the repair. */
  readonly status: readonly [number, number];
}

const digestOf = ({ store, ids }: StoredImages) => readRecordSync(store, ids.base)?.archive.sha512 ?? "";
const aside = ({ store }: StoredImages) => readdirSync(quarantineOf(store));

const cases: readonly Case[] = [
  {
    why: "a torn entry of the index is made anew from the archive; it is unsigned then",
    damage: ({ store, ids }) => {
      truncateSync(recordPath(store, ids.base), 100);
      return () => assert.equal(readRecordSync(store, ids.base)?.name, "example.com/base");
    },
    ...{ kind: "record", outcome: "repaired", status: [5, 0] },
  },
  {
    why: "an archive without an entry is listed again",
    damage: ({ store, ids }) => {
      rmSync(recordPath(store, ids.base));
      return () => {
        assert.equal(readRecordSync(store, ids.base)?.name, "example.com/base");
        assert.ok(readManifestSync(store, ids.base).length > 0);
      };
    },
    ...{ kind: "archive", outcome: "repaired", status: [5, 0] },
  },
  {
    why: "an entry that is a directory, of an image whose archive is gone, is put aside",
    damage: (world) => {
      const { store, ids } = world;
      rmSync(blobPath(store, digestOf(world)));
      rmSync(recordPath(store, ids.base));
      mkdirSync(recordPath(store, ids.base));
      return () => assert.equal(aside(world).length, 1);
    },
    ...{ kind: "record", outcome: "quarantined", status: [5, 5] },
  },
  {
    why: "an archive with one changed byte is put aside; its entry stays, so that fetching brings it back",
    damage: (world) => {
      const path = blobPath(world.store, digestOf(world));
      const bytes = readFileSync(path);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      writeFileSync(path, bytes);
      return () => {
        assert.ok(!existsSync(path) && readRecordSync(world.store, world.ids.base) !== undefined);
        assert.equal(aside(world).length, 1);
      };
    },
    ...{ kind: "archive", outcome: "quarantined", status: [5, 5] },
  },
  {
    why: "an archive that is gone is named with the way to get it",
    damage: (world) => {
      rmSync(blobPath(world.store, digestOf(world)));
      return () => assert.ok(readRecordSync(world.store, world.ids.base) !== undefined);
    },
    ...{ kind: "archive", outcome: "left", status: [5, 5] },
  },
  {
    why: "a changed manifest is made anew",
    damage: ({ store, ids }) => {
      writeFileSync(manifestPath(store, ids.base), "{}");
      return () => assert.match(String(readManifestSync(store, ids.base)), /example\.com\/base/);
    },
    ...{ kind: "manifest", outcome: "repaired", status: [5, 0] },
  },
  {
    why: "a tree with another file in it is rendered anew",
    damage: async ({ store, ids }) => {
      const { rootfs } = await ensureTree(store, ids.top, { log: silentLog });
      writeFileSync(join(rootfs, "bin/base"), "changed");
      return () => assert.equal(readFileSync(join(rootfs, "bin/base"), "utf8"), "base");
    },
    ...{ kind: "tree", outcome: "repaired", status: [5, 0] },
  },
  {
    why: "a tree without its mark is removed; it is rendered when it is needed",
    damage: ({ store, ids }) => {
      rmSync(treeMarkOf(treePath(store, ids.base)));
      return () => assert.ok(!existsSync(treePath(store, ids.base)));
    },
    ...{ kind: "tree", outcome: "removed", status: [5, 0] },
  },
  {
    why: "a mark against rollback of an image that is stored is made anew from its signers",
    damage: async (world) => {
      const { store, ids } = world;
      const record = readRecordSync(store, ids.base);
      const signedAt = "2025-05-05T05:05:05.000Z";
      const signers = [{ fingerprint: "f".repeat(40), keyDigest: "0".repeat(128), signedAt }];
      writeFileSync(recordPath(store, ids.base), encodeSelfChecking({ ...record, signers }));
      writeFileSync(`${blobPath(store, digestOf(world))}.asc`, "signature");
      const named = { name: "example.com/base", labels: withHostLabels([]) };
      await noteNewest(store, named, new Date(), false);
      truncateSync(join(newestOf(store), `${sha512(Buffer.from(newestKey(named)))}.json`), 20);
      assert.equal(readNewest(store, named), undefined);
      return () => assert.equal(readNewest(store, named)?.toISOString(), signedAt);
    },
    ...{ kind: "mark", outcome: "repaired", status: [5, 0] },
  },
  {
    why: "a mark of a name that is not stored is put aside",
    damage: async (world) => {
      await noteNewest(world.store, { name: "example.com/other", labels: [] }, new Date(), false);
      const [name = ""] = readdirSync(newestOf(world.store));
      truncateSync(join(newestOf(world.store), name), 20);
      return () => assert.equal(aside(world).length, 1);
    },
    ...{ kind: "mark", outcome: "quarantined", status: [5, 5] },
  },
  {
    why: "a directory of the layout that is gone is made, and what was in it from the archives",
    damage: ({ store, ids }) => {
      rmSync(indexOf(store), { recursive: true });
      rmSync(manifestsOf(store), { recursive: true });
      writeFileSync(manifestsOf(store), "a file in its place");
      return () => {
        assert.deepEqual(
          listRecordsSync(store)
            .map(({ id }) => id)
            .sort(),
          Object.values(ids).sort(),
        );
        assert.match(String(readManifestSync(store, ids.top)), /example\.com\/top/);
      };
    },
    ...{ kind: "layout", outcome: "repaired", status: [5, 0] },
  },
];

const strangers: Readonly<Record<string, (world: StoredImages) => string>> = {
  "a file of somebody else's in index/": ({ store }) => join(indexOf(store), "notes.txt"),
  "a manifest of no image": ({ store }) => join(manifestsOf(store), `sha512-${"0".repeat(128)}`),
  "a signature without its archive": ({ store }) => `${blobPath(store, "a".repeat(128))}.asc`,
  "a file among the archives": (world) => join(dirname(blobPath(world.store, digestOf(world))), "notes"),
  "a file where work is done": ({ store }) => join(stagingOf(store), "dead"),
  "the turn of a dead process": ({ store }) => join(turnsOf(store), "0".repeat(128)),
  "half an answer": ({ store }) => join(answersOf(store), `${"0".repeat(128)}.json`),
  "something thrown away": ({ store }) => join(trashOf(store), "old"),
};

describe("checking and repairing a store (CHECK-1, CHECK-3)", () => {
  it("finds nothing in a whole one", async (t) => {
    const { settings } = await storedImages(t);
    const { findings, images, archives, bytes } = await checkStore(settings);
    assert.deepEqual([findings, images, archives], [[], 3, 3]);
    assert.ok(bytes > 0);
  });

  for (const { why, damage, kind, outcome, status } of cases) {
    it(why, async (t) => {
      const world = await storedImages(t);
      const holds = await damage(world);
      const before = await checkStore(world.settings);
      assert.ok(
        before.findings.some((one) => one.kind === kind && one.damage && one.outcome === "left"),
        why,
      );
      assert.equal(checkStatus(before), status[0]);
      const after = await checkStore(world.settings, { repair: true });
      assert.ok(
        after.findings.some((one) => one.kind === kind && one.outcome === outcome),
        JSON.stringify(after.findings),
      );
      assert.equal(checkStatus(after), status[1]);
      holds();
      const again = await checkStore(world.settings);
      if (status[1] === 0)
        assert.deepEqual(
          again.findings.filter((one) => one.damage),
          [],
          "nothing is left",
        );
    });
  }

  for (const [why, place] of Object.entries(strangers)) {
    it(`${why} takes space, is no damage and goes`, async (t) => {
      const world = await storedImages(t);
      const path = place(world);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, "x");
      const before = await checkStore(world.settings);
      assert.deepEqual([before.findings.map(({ damage }) => damage), checkStatus(before)], [[false], 0]);
      await checkStore(world.settings, { repair: true });
      assert.ok(!existsSync(path));
      const left = (await checkStore(world.settings)).findings.map(({ problem }) => problem);
      assert.ok(
        left.every((problem) => problem === "put aside by an earlier repair"),
        String(left),
      );
    });
  }

  it("follows no link and reads nothing through one", async (t) => {
    const world = await storedImages(t);
    const path = blobPath(world.store, digestOf(world));
    rmSync(path);
    symlinkSync("/etc/passwd", path);
    const { findings } = await checkStore(world.settings, { repair: true });
    assert.deepEqual(
      findings.map(({ kind, outcome }) => [kind, outcome]),
      [["archive", "quarantined"]],
    );
    assert.ok(existsSync("/etc/passwd"));
  });
});
