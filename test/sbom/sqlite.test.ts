import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { sqliteColumn, sqlitePageSize } from "../../src/sbom/sqlite.ts";
import { fails } from "../helpers/failures.ts";
import { damaged, sqlite } from "../helpers/rpm.ts";
import { makeTemporary } from "../helpers/temporary.ts";

/** A table of `rows` values of all sizes, between other tables; and the values as sqlite3 reads them. */
async function makeTable(
  pageSize: number,
  rows: number,
): Promise<{ readonly file: Buffer; readonly values: readonly Buffer[] }> {
  const { path, remove } = await makeTemporary();
  const name = join(path, "x.sqlite");
  const numbers = `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${rows})`;
  sqlite(
    name,
    `pragma page_size = ${pageSize};
     create table Other(a text);
     insert into Other values ('x');
     create table Packages(hnum integer primary key autoincrement, blob blob not null);
     ${numbers} insert into Packages select i, randomblob(1 + (i * i * 37) % 9000) from n;
     create index ByLength on Packages(length(blob));
     delete from Packages where hnum % 7 = 0;`,
  );
  const values = sqlite(name, "select hex(blob) from Packages order by hnum;")
    .split("\n")
    .map((line) => Buffer.from(line, "hex"));
  const file = readFileSync(name);
  await remove();
  return { file, values };
}

describe("sqliteColumn", () => {
  for (const pageSize of [512, 1024, 4096, 65_536]) {
    it(`gives what sqlite3 gives, with pages of ${pageSize} bytes`, async () => {
      const { file, values } = await makeTable(pageSize, 400);
      assert.equal(sqlitePageSize(file), pageSize);
      assert.deepEqual([...sqliteColumn(file, "Packages", 1)], values);
    });
  }
  it("refuses a table that is not there, and what is no database", async () => {
    const { file } = await makeTable(512, 3);
    assert.throws(() => [...sqliteColumn(file, "Nothing", 1)], fails("IMAGE_INVALID", /no table Nothing/));
    assert.throws(() => [...sqliteColumn(Buffer.alloc(4096), "Packages", 1)], fails("IMAGE_INVALID", /begin like one/));
  });
  it("ends on a file that was damaged anywhere, with values or a refusal", async () => {
    const { file } = await makeTable(512, 60);
    let refused = 0;
    for (const bytes of damaged(file, 600)) {
      try {
        for (const value of sqliteColumn(bytes, "Packages", 1)) assert.ok(value.length <= 2 * file.length);
      } catch (error) {
        refused += 1;
        assert.ok(fails("IMAGE_INVALID", /SQLite/)(error), String(error));
      }
    }
    assert.ok(refused > 100, `${refused}`);
  });
});
