import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readArchive } from "../../src/image/archive.ts";
import { type FileFacts, pathText, readFacts } from "../../src/image/facts.ts";
import { factsIn as factsInRecord } from "../../src/image/file-table.ts";
import { sha512 } from "../helpers/images.ts";
import { chunks, type RawMember, tarBytes } from "../helpers/tar-bytes.ts";

async function factsIn(members: readonly RawMember[]): Promise<ReadonlyMap<string, FileFacts>> {
  const table = new Map<string, FileFacts>();
  await readArchive(chunks(tarBytes({ members })), async (entries) => {
    for (const { path, record } of await readFacts(entries)) table.set(path, factsInRecord(record));
  });
  return table;
}

describe("readFacts", () => {
  it("says of every path what counts, and the same of all names of one file", async () => {
    const table = await factsIn([
      { name: "rootfs/a", body: "content", mode: 0o4755, uid: 1, gid: 2, mtime: 3 },
      { name: "rootfs/b", type: "1", link: "rootfs/a" },
      { name: "rootfs/l", type: "2", link: "a\xff", mode: 0o777 },
      {
        name: "rootfs/x",
        pax: [
          ["SCHILY.xattr.user.b", "2"],
          ["SCHILY.xattr.user.a", "1"],
          ["SCHILY.xattr.trusted.x", "3"],
        ],
      },
      { name: "rootfs/n", type: "3", major: 1, minor: 3 },
    ]);
    assert.deepEqual([...table.keys()], [".", "a", "b", "l", "n", "x"]);
    assert.deepEqual(table.get("a"), {
      ...{ type: "file", mode: 0o4755, uid: 1, gid: 2, time: "3.000000000", size: 7 },
      ...{ content: sha512("content"), link: "", device: "", xattrs: [] },
    });
    assert.deepEqual(table.get("b"), table.get("a"));
    assert.equal(table.get("l")?.link, "a\xff");
    assert.equal(table.get("l")?.mode, 0, "a symlink's mode means nothing");
    assert.deepEqual(table.get("x")?.xattrs, ["user.a=31", "user.b=32"], "only those an image can hold");
    assert.equal(table.get("n")?.device, "1:3");
  });
});

describe("pathText", () => {
  it("shows UTF-8 as text, other bytes one by one, and nothing that repaints a terminal (T-R47)", () => {
    assert.equal(pathText(Buffer.from("grüße").toString("latin1")), "grüße");
    assert.equal(pathText("a\xff"), "aÿ");
    assert.equal(pathText("\u001b[2J"), "\\x1b[2J");
  });
});
