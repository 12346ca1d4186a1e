import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pause } from "../../src/api/waiting.ts";
import { fails } from "../helpers/failures.ts";

describe("pause", () => {
  it("ends by itself", async () => assert.equal(await pause(1, undefined), undefined));
  it("is a Failure when it is interrupted, also before it began", async () => {
    const controller = new AbortController();
    const waiting = pause(60_000, controller.signal);
    controller.abort();
    await assert.rejects(waiting, fails("INTERRUPTED"));
    await assert.rejects(pause(60_000, controller.signal), fails("INTERRUPTED"));
  });
});
