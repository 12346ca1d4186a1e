import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { sqliteColumn } from "../../src/sbom/sqlite.ts";
import { readSqliteLog } from "../../src/sbom/sqlite-log.ts";
import { sqlite } from "../helpers/rpm.ts";
import { makeTemporary } from "../helpers/temporary.ts";

/** A database whose last rows are in the log alone: the file without them, the log with them. */
async function withLog(): Promise<{ readonly file: Buffer; readonly log: Buffer }> {
  const { path, remove } = await makeTemporary();
  const at = (name: string) => join(path, name);
  // While the connection is open nothing is moved from the log into the file: then both are copied.
  sqlite(
    at("x"),
    `pragma page_size = 1024; pragma journal_mode = wal;
     create table Packages(hnum integer primary key, blob blob);
     insert into Packages values (1, 'a');
     update Packages set blob = x'01';
     pragma wal_checkpoint(truncate);
     insert into Packages values (2, x'02');
     insert into Packages values (3, zeroblob(3000));
     .shell cp ${at("x")} ${at("copy")}; cp ${at("x-wal")} ${at("copy-wal")}`
      .split("\n")
      .map((line) => line.trim())
      .join("\n"),
  );
  copyFileSync(at("copy"), at("kept"));
  const both = { file: readFileSync(at("kept")), log: readFileSync(at("copy-wal")) };
  await remove();
  return both;
}

const lengths = (file: Buffer, log: Buffer) =>
  [...sqliteColumn(file, "Packages", 1, readSqliteLog(log, 1024))].map((value) => value.length);

describe("readSqliteLog", () => {
  it("has the transactions that the file has not", async () => {
    const { file, log } = await withLog();
    assert.ok(log.length > 2000);
    assert.deepEqual(lengths(file, Buffer.alloc(0)), [1]);
    assert.deepEqual(lengths(file, log), [1, 1, 3000]);
  });
  it("ends where a frame is not whole, as for SQLite", async () => {
    const { file, log } = await withLog();
    const spoilt = Buffer.from(log);
    spoilt[log.length - 10] = 1;
    assert.deepEqual(lengths(file, spoilt), [1, 1]);
    assert.deepEqual(lengths(file, log.subarray(0, log.length - 1)), [1, 1]);
    const frame = 24 + 1024;
    assert.deepEqual(lengths(file, log.subarray(0, log.length - frame)), [1, 1]);
  });
  it("is empty when its head is wrong, or of pages of another size", async () => {
    const { file, log } = await withLog();
    for (const at of [0, 8, 16, 24]) {
      const spoilt = Buffer.from(log);
      spoilt[at] = (spoilt[at] ?? 0) ^ 0x40;
      assert.deepEqual(lengths(file, spoilt), [1], String(at));
    }
  });
});
