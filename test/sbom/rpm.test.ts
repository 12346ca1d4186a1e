import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type RpmDatabase, readRpmDatabase } from "../../src/sbom/rpm.ts";
import { damaged, headersOf, makeBerkeleyTable, makeNdb, makeRpmDatabase } from "../helpers/rpm.ts";
import { makeTemporary } from "../helpers/temporary.ts";

const { path, remove } = await makeTemporary();
const database = makeRpmDatabase(path, [
  { name: "perigee-one", version: "1.2", release: "3.el9", epoch: 4, licence: "GPLv2+ and MIT" },
  { name: "perigee-two", version: "2.0~rc1", release: "1", licence: "MIT" },
]);
const headers = headersOf(path, database);
const databases: readonly RpmDatabase[] = [
  { format: "sqlite", bytes: database },
  { format: "ndb", bytes: makeNdb(headers) },
  { format: "bdb", bytes: makeBerkeleyTable(path, headers) },
];
await remove();

const read = (source: RpmDatabase, id = "fedora") => {
  const problems: string[] = [];
  const found = readRpmDatabase(source, {
    distribution: { id, version: "40" },
    place: "var/lib/rpm/x",
    problem: (sentence) => problems.push(sentence),
  });
  return { found, problems };
};

describe("readRpmDatabase (SBOM-2)", () => {
  for (const source of databases) {
    it(`${source.format}: says of each package what rpm wrote`, () => {
      const { found, problems } = read(source);
      assert.deepEqual(problems, []);
      const byName = found.toSorted((one, other) => one.name.localeCompare(other.name));
      assert.deepEqual(byName[0], {
        type: "rpm",
        namespace: "fedora",
        name: "perigee-one",
        version: "1.2-3.el9",
        epoch: 4,
        architecture: "noarch",
        distribution: "fedora-40",
        licence: "GPLv2+ and MIT",
        source: "perigee-one-1.2-3.el9.src.rpm",
        supplier: "Example",
        homepage: "https://example.com/package",
        description: "A package of a test",
        places: ["var/lib/rpm/x"],
      });
      assert.deepEqual([byName[1]?.version, byName[1]?.epoch, byName.length], ["2.0~rc1-1", undefined, 2]);
    });
    it(`${source.format}: a damaged one gives packages or a problem, and nothing else`, () => {
      for (const bytes of damaged(source.bytes, 400)) {
        const { found, problems } = read({ ...source, bytes });
        assert.ok(Array.isArray(found) && Array.isArray(problems));
      }
      assert.notDeepEqual(read({ ...source, bytes: source.bytes.subarray(0, 5000) }).problems, []);
      assert.notDeepEqual(read({ ...source, bytes: Buffer.alloc(0) }).problems, []);
    });
  }
  it("has the vendors that purl knows", () => {
    assert.equal(read(databases[0] as RpmDatabase, "rhel").found[0]?.namespace, "redhat");
  });
});
