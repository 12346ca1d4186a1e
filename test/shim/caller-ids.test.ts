import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findCallerIds, type IdSources, idInside } from "../../src/shim/caller-ids.ts";

const files = {
  "/etc/subuid": "alice:100000:65536\n",
  "/etc/subgid": "alice:200000:65536\n",
  "/proc/self/status": "NoNewPrivs:\t0\n",
};

function found(change: Partial<Record<keyof typeof files, string>> = {}, sources: Partial<IdSources> = {}) {
  const texts: Readonly<Record<string, string | undefined>> = { ...files, ...change };
  return findCallerIds({
    uid: 1000,
    gid: 100,
    name: "alice",
    read: (path) => texts[path],
    isExecutable: (path) => path.startsWith("/bin/"),
    ...sources,
  });
}

const own = { inside: 0, outside: 1000, count: 1 };

describe("findCallerIds (ISO-21, ISO-22)", () => {
  it("the caller is 0, and the ranges follow", () => {
    const { uids, gids, mappers, lacks } = found();
    assert.deepEqual(uids, [own, { inside: 1, outside: 100000, count: 65536 }]);
    assert.deepEqual(gids, [
      { inside: 0, outside: 100, count: 1 },
      { inside: 1, outside: 200000, count: 65536 },
    ]);
    assert.deepEqual(mappers, { uids: "/bin/newuidmap", gids: "/bin/newgidmap" });
    assert.equal(lacks, undefined);
  });

  it("several lines, by name and by number, stand in a row", () => {
    const { uids } = found({ "/etc/subuid": "bob:1:5\n1000:300000:10\nalice:400000:20\n" });
    assert.deepEqual(uids.slice(1), [
      { inside: 1, outside: 300000, count: 10 },
      { inside: 11, outside: 400000, count: 20 },
    ]);
  });

  for (const [why, line] of [
    ["of others", "bob:100000:65536"],
    ["of a name that begins so", "alice2:100000:65536"],
    ["without numbers", "alice:many:65536"],
    ["of more fields", "alice:100000:65536:1"],
    ["that hold root", "alice:0:65536"],
    ["that hold the caller", "alice:999:2"],
    ["that are empty", "alice:100000:0"],
    ["past the last id", "alice:4294967290:100"],
    ["that are not there", ""],
  ] as const) {
    it(`lines ${why} count for nothing`, () => {
      const { uids, mappers, lacks } = found({ "/etc/subuid": line });
      assert.deepEqual(uids, [own]);
      assert.equal(mappers, undefined);
      assert.match(lacks ?? "", /\/etc\/subuid/);
    });
  }

  it("a line that overlaps an earlier one is passed over: the kernel would refuse all", () => {
    const { uids } = found({ "/etc/subuid": "alice:100000:10\nalice:100005:10\nalice:100010:10\n" });
    assert.deepEqual(
      uids.slice(1).map(({ outside }) => outside),
      [100000, 100010],
    );
  });

  it("at most 32 lines count", () => {
    const lines = Array.from({ length: 40 }, (_, index) => `alice:${100000 + index * 10}:10`).join("\n");
    assert.equal(found({ "/etc/subuid": lines }).uids.length, 33);
  });

  it("without the programs, the files or new privileges there is one id, and why is told", () => {
    assert.match(found({}, { isExecutable: () => false }).lacks ?? "", /newuidmap.*newgidmap/);
    assert.match(found({}, { read: () => undefined }).lacks ?? "", /subuid.*subgid/);
    assert.match(found({ "/proc/self/status": "NoNewPrivs:\t1\n" }).lacks ?? "", /privileges/);
    assert.deepEqual(found({}, { isExecutable: () => false }).uids, [own]);
  });

  it("a user that no file names has the lines of the number", () => {
    const lines = "1000:300000:10\nundefined:400000:10\n";
    const { uids } = found({ "/etc/subuid": lines, "/etc/subgid": lines }, { name: undefined });
    assert.deepEqual(uids.slice(1), [{ inside: 1, outside: 300000, count: 10 }]);
  });
});

describe("idInside", () => {
  it("tells what an id of the host is inside", () => {
    const { uids } = found();
    assert.deepEqual(
      [1000, 100000, 165535, 165536, 0].map((id) => idInside(uids, id)),
      [0, 1, 65536, undefined, undefined],
    );
  });
});
