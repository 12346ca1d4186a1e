import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { answersOf, type KeptAnswer, keepAnswer, oldAnswers, readAnswer } from "../../src/store/answers.ts";
import { openStore } from "../../src/store/layout.ts";
import { encodeSelfChecking } from "../../src/store/records.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const url = "https://example.com/a.aci";
const answer: KeptAnswer = { url, etag: '"1"', at: "2025-07-01T00:00:00.000Z", maxAge: 60 };

describe("kept answers", () => {
  it("are read as they were written; a torn, foreign or misplaced one is none", async (t) => {
    const store = await openStore(await temporaryDirectory(t));
    assert.equal(readAnswer(store, url), undefined);
    await keepAnswer(store, answer);
    assert.deepEqual(readAnswer(store, url), answer);
    const [file = ""] = readdirSync(answersOf(store));
    const bad = { ...answer, image: { id: "../../x", sha512: "0" } };
    for (const content of ["", "{}", encodeSelfChecking({ ...answer, url: "https://b/" }), encodeSelfChecking(bad)]) {
      writeFileSync(join(answersOf(store), file), content);
      assert.equal(readAnswer(store, url), undefined);
    }
  });

  it("are old after thirty days; what a dead process left, after an hour", async (t) => {
    const store = await openStore(await temporaryDirectory(t));
    await keepAnswer(store, answer);
    writeFileSync(join(answersOf(store), ".x.tmp"), "half");
    const now = Date.now();
    assert.deepEqual(await oldAnswers(store, now), []);
    assert.equal((await oldAnswers(store, now + 2 * 3600_000)).length, 1);
    assert.equal((await oldAnswers(store, now + 31 * 24 * 3600_000)).length, 2);
  });
});
