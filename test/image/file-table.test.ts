import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FileFacts } from "../../src/image/facts.ts";
import { factsIn } from "../../src/image/file-table.ts";
import { tableOf } from "../helpers/file-tables.ts";

const file = (changes: Partial<FileFacts> = {}): FileFacts => ({
  ...{ type: "file", mode: 0o644, uid: 0, gid: 0, time: "0.000000000", size: 1, content: "ab".repeat(64) },
  ...{ link: "", device: "", xattrs: [], ...changes },
});

describe("fileTable", () => {
  it("gives back what came, in byte order of paths, whatever the bytes and however long", () => {
    const files: readonly (readonly [string, FileFacts])[] = [
      ["\xff", file({ content: "" })],
      ["a/b", file({ link: "x\xff{" })],
      ["a", file({ type: "directory", content: "" })],
      ["a-", file({ xattrs: [`user.grüße=${"0".repeat(600_000)}`] })],
      [".", file({ time: "-1.500000000", size: 2 ** 50 })],
    ];
    const rows = [...tableOf(files)];
    assert.deepEqual(
      rows.map(({ path }) => path),
      [".", "a", "a-", "a/b", "\xff"],
    );
    const given = new Map(files);
    for (const { path, record, names } of rows) {
      assert.equal(JSON.stringify(factsIn(record)), JSON.stringify(given.get(path)), "also in the order of fields");
      assert.equal(names, undefined);
    }
  });

  it("finds every one of many", () => {
    const count = 5000;
    const paths = Array.from({ length: count }, (_, index) => `${index % 7}/${index}`);
    const rows = [...tableOf(paths.map((path, size) => [path, file({ size })]))];
    assert.deepEqual(
      rows.map(({ path, record }) => [path, factsIn(record).size]),
      paths.map((path, size) => [path, size] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  });

  it("the names of one file have its facts, through links to links; a link to what is not there is a file of its own", () => {
    const other = file({ size: 2, content: "" });
    const rows = [
      ...tableOf([
        ["m", file()],
        ["z", other, "m"],
        ["a", other, "z"],
        ["lone", other, "nothing"],
      ]),
    ];
    assert.deepEqual(
      rows.map(({ path, record, names }) => [path, factsIn(record).size, names]),
      [
        ["a", 1, "3 a"],
        ["lone", 2, undefined],
        ["m", 1, "3 a"],
        ["z", 1, "3 a"],
      ],
    );
  });
});
