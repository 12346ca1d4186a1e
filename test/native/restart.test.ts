/** Whether and when an app is started again, asked of native/restart.c itself. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { type Scratch, scratch } from "../helpers/shim.ts";

let build: Scratch;
let program = "";
before(() => {
  build = scratch();
  program = build.at("restart");
  const sources = ["test/native/restart.c", "native/restart.c"];
  execFileSync("cc", ["-std=c17", "-D_GNU_SOURCE", "-Wall", "-Werror", "-O1", "-Inative", "-o", program, ...sources]);
});
after(() => build.remove());

const ask = (...words: readonly (string | number)[]): readonly string[] =>
  execFileSync(program, words.map(String), { encoding: "utf8" }).trim().split("\n");

describe("an app that has ended", () => {
  for (const [why, policy, most, count, status, due, givenUp = false] of [
    ["on-failure after a good end", "on-failure", 0, 0, 0, "no"],
    ["on-failure after a failure", "on-failure", 0, 7, 256, "yes"],
    ["on-failure after a signal", "on-failure", 0, 0, 9, "yes"],
    ["on-failure that was started again as often as it may", "on-failure", 3, 3, 256, "no"],
    ["on-failure that was not yet", "on-failure", 3, 2, 256, "yes"],
    ["always after a good end", "always", 0, 1000, 0, "yes"],
    ["always after a failure", "always", 0, 0, 256, "yes"],
    ["no policy", "no", 0, 0, 256, "no"],
    ["a policy for checks alone after a failure", "unhealthy", 0, 0, 256, "no"],
    ["a policy for checks alone that have given it up", "unhealthy", 0, 0, 0, "yes", true],
    ["on-failure after a good end that its checks asked for", "on-failure", 0, 0, 0, "yes", true],
    ["on-failure that its checks gave up too often", "on-failure", 2, 2, 0, "no", true],
  ] as const) {
    it(`SHIM-10: ${why}: started again, ${due}`, () =>
      assert.deepEqual(ask(policy, most, count, status, String(givenUp)), [due]));
  }

  it("SHIM-11: waits 100 ms, then twice as long each time, a minute at most, and 100 ms after a run of ten seconds", () => {
    const delays = ask(...new Array<number>(12).fill(5), 9999, 10000, 5).map(Number);
    assert.deepEqual(delays, [
      ...[100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000],
      ...[60000, 100, 200],
    ]);
  });
});
