import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readContextFile } from "../../src/recipe/acbuild-files.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

describe("readContextFile", () => {
  it("reads relative to the context, and says where a missing or large file was named", async (t) => {
    const context = await temporaryDirectory(t);
    await writeFile(join(context, "value"), "12345");
    const word = (text: string) => ({ text, place: { file: "s", line: 3, column: 7 } });
    assert.equal(String(await readContextFile(context, word("value"), 5)), "12345");
    await assert.rejects(readContextFile(context, word("none"), 5), fails("RECIPE_INVALID", /^s:3:7: ACB-5/));
    await assert.rejects(readContextFile(context, word("value"), 4), fails("LIMIT_EXCEEDED"));
  });
});
