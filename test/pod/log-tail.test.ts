import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openTail } from "../../src/pod/log-tail.ts";
import { record } from "../helpers/logs.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

/** What is read, and what of it ends behind `after`. */
function tail(directory: string, count: number): { readonly read: number; readonly asked: string } {
  const found = openTail(directory, "app", count);
  assert.ok(found);
  let [read, asked, isFirst] = [0, "", true];
  for (let block = found.reader.read(); block !== undefined; block = found.reader.read()) {
    if (block.isNew && read > 0) isFirst = false;
    read += block.bytes.length;
    asked += block.bytes.subarray(isFirst ? Math.max(0, found.after - block.start) : 0).toString("latin1");
  }
  found.reader.close();
  return { read, asked };
}

describe("openTail (LIFE-72)", () => {
  it("finds the last lines of one file and of several", async (context) => {
    const directory = await temporaryDirectory(context);
    writeFileSync(join(directory, "app.1"), `${record(0, "o", "a")}+b\n+c\n`);
    const newer = `${record(1, "o", "d")}+e\n`;
    writeFileSync(join(directory, "app"), newer);
    assert.equal(tail(directory, 0).asked, "");
    assert.equal(tail(directory, 1).asked, "+e\n");
    assert.equal(tail(directory, 2).asked, newer);
    assert.equal(tail(directory, 3).asked, `+c\n${newer}`);
    for (const count of [5, 6, 1000]) {
      assert.equal(tail(directory, count).asked, `${record(0, "o", "a")}+b\n+c\n${newer}`, `${count}`);
    }
    assert.equal(openTail(directory, "none", 3), undefined);
  });

  it("reads a few blocks of a large log, not all of it", async (context) => {
    const directory = await temporaryDirectory(context);
    const batch = (n: number) => `${record(n, "o", "x".repeat(100))}${`+${"y".repeat(100)}\n`.repeat(30)}`;
    writeFileSync(join(directory, "app"), Array.from({ length: 3000 }, (_, n) => batch(n)).join(""));
    const { read, asked } = tail(directory, 100);
    assert.equal(asked.split("\n").length - 1, 100);
    assert.ok(readFileSync(join(directory, "app"), "latin1").endsWith(asked));
    assert.ok(read < 400_000, `${read}`);
  });

  it("a part that is not ended, a torn record and what is no record count as no lines", async (context) => {
    const directory = await temporaryDirectory(context);
    const text = `${record(0, "o", "a")}+b\n${record(1, "O", "part")}${record(2, "o", "torn").slice(0, 20)}`;
    writeFileSync(join(directory, "app"), text);
    assert.equal(tail(directory, 1).asked, `+b\n${record(1, "O", "part")}`);
    writeFileSync(join(directory, "app"), `${"\0".repeat(200_000)}${text}`);
    assert.equal(tail(directory, 1).asked, `+b\n${record(1, "O", "part")}`);
  });
});
