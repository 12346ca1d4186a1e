import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Bell, pause } from "../../src/api/waiting.ts";
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

describe("Bell", () => {
  it("ends a wait, also one that begins after it was rung, and is then silent", async () => {
    const bell = new Bell();
    const waiting = bell.wait(60_000, undefined);
    bell.ring();
    await waiting;
    bell.ring();
    await bell.wait(60_000, undefined);
    const rung = bell.wait(1, undefined);
    assert.equal(await rung, undefined);
  });
  it("is a Failure when it is interrupted", async () => {
    await assert.rejects(new Bell().wait(60_000, AbortSignal.abort()), fails("INTERRUPTED"));
  });
});
