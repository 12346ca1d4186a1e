import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareDocuments, compareFiles } from "../../src/image/difference.ts";
import type { FileFacts } from "../../src/image/facts.ts";

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
    for (const [change, why] of cases) {
      const { changed } = compareFiles(new Map([["a", file()]]), new Map([["a", file(change)]]));
      assert.deepEqual(
        changed.map((one) => one.why),
        [[why]],
      );
    }
    const all = Object.assign({}, ...cases.map(([change]) => change));
    const { changed } = compareFiles(new Map([["a", file()]]), new Map([["a", file(all)]]));
    assert.equal(changed[0]?.why.join(), "type,mode,owner,content,link,device,xattrs,time");
  });

  it("tells what came, what went and what stayed, in the order of paths", () => {
    const same = file();
    const before = new Map([
      ["z", same],
      ["gone", file()],
      ["a", file()],
    ]);
    const after = new Map([
      ["new2", file()],
      ["new1", file()],
      ["z", same],
      ["a", file({ size: 2 })],
    ]);
    const { added, removed, changed } = compareFiles(before, after);
    assert.deepEqual(
      added.map(({ path }) => path),
      ["new1", "new2"],
    );
    assert.deepEqual(
      removed.map(({ path }) => path),
      ["gone"],
    );
    assert.deepEqual(
      changed.map(({ path }) => path),
      ["a"],
    );
  });

  it("sees that names of one file were parted or joined", () => {
    const shared = file();
    const { changed } = compareFiles(
      new Map([
        ["a", shared],
        ["b", shared],
      ]),
      new Map([
        ["a", file()],
        ["b", file()],
      ]),
    );
    assert.deepEqual(
      changed.map(({ path, why }) => `${path} ${why}`),
      ["a hard links", "b hard links"],
    );
    const other = file();
    assert.deepEqual(
      compareFiles(
        new Map([
          ["a", shared],
          ["b", shared],
        ]),
        new Map([
          ["b", other],
          ["a", other],
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
