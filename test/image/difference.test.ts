import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareDocuments, compareFiles } from "../../src/image/difference.ts";
import type { FileFacts } from "../../src/image/facts.ts";
import { tableOf } from "../helpers/file-tables.ts";

const file = (changes: Partial<FileFacts> = {}): FileFacts => ({
  ...{
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    time: "0.0",
    size: 1,
    content: "aa",
    link: "",
    device: "",
    xattrs: [],
  },
  ...changes,
});

describe("compareFiles", () => {
  it("names every reason, in one order", () => {
    const cases: readonly (readonly [Partial<FileFacts>, string])[] = [
      [{ type: "fifo" }, "type"],
      [{ mode: 0o600 }, "mode"],
      [{ uid: 1 }, "owner"],
      [{ gid: 1 }, "owner"],
      [{ content: "bb" }, "content"],
      [{ link: "x" }, "link"],
      [{ device: "1:3" }, "device"],
      [{ xattrs: ["user.a=1"] }, "xattrs"],
      [{ time: "1.0" }, "time"],
    ];
    const before = tableOf([["a", file()]]);
    for (const [change, why] of cases) {
      const { changed } = compareFiles(before, tableOf([["a", file(change)]]), true);
      assert.deepEqual(changed, [{ path: "a", why: [why], before: file(), after: file(change) }]);
    }
    const all = Object.assign({}, ...cases.map(([change]) => change));
    const { changed } = compareFiles(before, tableOf([["a", file(all)]]));
    assert.equal(changed[0]?.why.join(), "type,mode,owner,content,link,device,xattrs,time");
  });

  it("counts files of which only the time differs, and names them when asked", () => {
    const [before, after] = [
      tableOf([
        ["a", file()],
        ["b", file()],
        ["c", file()],
      ]),
      tableOf([
        ["a", file({ time: "1.0" })],
        ["b", file({ time: "1.0", mode: 0 })],
        ["c", file()],
      ]),
    ];
    const [without, named] = [compareFiles(before, after), compareFiles(before, after, true)];
    assert.deepEqual([without.timeOnly, without.changed.map(({ path }) => path)], [1, ["b"]]);
    assert.deepEqual([named.timeOnly, named.changed.map(({ path }) => path)], [1, ["a", "b"]]);
  });

  it("tells what came, what went and what stayed, in the order of paths", () => {
    const before = tableOf([
      ["z", file()],
      ["gone", file()],
      ["a", file()],
      ["a-", file()],
      ["a/b", file()],
    ]);
    const after = tableOf([
      ["new2", file()],
      ["new1", file()],
      ["z", file()],
      ["a", file({ size: 2 })],
      ["zz", file()],
    ]);
    const { added, removed, changed } = compareFiles(before, after);
    assert.deepEqual(
      [added, removed, changed].map((files) => files.map(({ path }) => path)),
      [["new1", "new2", "zz"], ["a-", "a/b", "gone"], ["a"]],
    );
    const none = compareFiles(tableOf([]), after);
    assert.deepEqual([none.added.length, none.removed, none.changed], [5, [], []]);
  });

  it("sees that names of one file were parted or joined", () => {
    const linked = tableOf([
      ["a", file()],
      ["b", file(), "a"],
    ]);
    const { changed } = compareFiles(
      linked,
      tableOf([
        ["a", file()],
        ["b", file()],
      ]),
    );
    assert.deepEqual(
      changed.map(({ path, why }) => `${path} ${why}`),
      ["a hard links", "b hard links"],
    );
    assert.deepEqual(
      compareFiles(
        linked,
        tableOf([
          ["b", file()],
          ["a", file(), "b"],
        ]),
      ).changed,
      [],
    );
  });
});

describe("compareDocuments", () => {
  it("names fields by their path, and items by their names", () => {
    const before = {
      name: "a",
      labels: [
        { name: "version", value: "1" },
        { name: "os", value: "linux" },
      ],
      app: { exec: ["/a", "x"] },
    };
    const after = {
      name: "a",
      labels: [
        { name: "os", value: "linux" },
        { name: "version", value: "2" },
      ],
      app: { exec: ["/b"], user: "0" },
    };
    assert.deepEqual(compareDocuments(before, after), [
      { field: "labels[version].value", before: "1", after: "2" },
      { field: "app.exec[0]", before: "/a", after: "/b" },
      { field: "app.exec[1]", before: "x" },
      { field: "app.user", after: "0" },
    ]);
    assert.deepEqual(compareDocuments(before, structuredClone(before)), []);
  });

  it("compares values of different kinds whole, and lists with a name twice by place", () => {
    assert.deepEqual(compareDocuments({ a: [1] }, { a: { 0: 1 } }), [{ field: "a", before: [1], after: { 0: 1 } }]);
    assert.deepEqual(compareDocuments({ a: null }, { a: [] }), [{ field: "a", before: null, after: [] }]);
    const twice = [
      { name: "x", value: 1 },
      { name: "x", value: 2 },
    ];
    assert.deepEqual(compareDocuments({ a: twice }, { a: [twice[0], { name: "x", value: 3 }] }), [
      { field: "a[1].value", before: 2, after: 3 },
    ]);
  });
});
