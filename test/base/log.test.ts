import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Progress, silentLog, withProgress } from "../../src/base/log.ts";

describe("withProgress", () => {
  const listening = () => {
    const told: Progress[] = [];
    return { told, log: { ...silentLog, progress: (progress: Progress) => void told.push(progress) } };
  };
  it("tells what the job tells, and that it is done", async () => {
    const { told, log } = listening();
    const result = await withProgress(log, "t", async (tell) => {
      tell(1, 3);
      tell(3, 3);
      return "r";
    });
    assert.equal(result, "r");
    assert.deepEqual(told, [
      { task: "t", done: 1, total: 3 },
      { task: "t", done: 3, total: 3 },
      { task: "t", done: 3, total: 3, finished: true, isBroken: false },
    ]);
  });
  it("tells that a failed one is over too", async () => {
    const { told, log } = listening();
    const job = withProgress(log, "t", async () => {
      throw new Error("x");
    });
    await assert.rejects(job, /x/);
    assert.deepEqual(told, [{ task: "t", finished: true, isBroken: true }]);
  });
});
