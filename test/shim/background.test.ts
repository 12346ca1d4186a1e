import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startInBackground } from "../../src/shim/background.ts";
import { failure, temporary } from "../helpers/trust.ts";

const path = temporary();

/** What it says once it has ended. */
async function failureOf(...line: readonly [string, ...string[]]): Promise<string | undefined> {
  const [program, ...args] = line;
  const started = startInBackground(program, args, path("report"));
  for (let tries = 0; tries < 6000 && started.failure() === undefined; tries++) await sleep(10);
  return started.failure();
}

describe("a program in the background", () => {
  it("has a session of its own, nothing of our environment, and is told of by what it said last", async () => {
    const said = await failureOf("/bin/sh", "-c", "pwd >&2; echo $HOME:$USER >&2; ps -o sid= -p $$ >&2; exit 3");
    const [directory, home, session] = (said ?? "").split("\n");
    assert.deepEqual([directory, home], ["/", "/:"]);
    const own = readFileSync("/proc/self/stat", "latin1").split(") ")[1]?.split(" ")[3];
    assert.notEqual(session?.trim(), own);
  });

  it("is told of by its status when it said nothing, and by the system's words when it is not there", async () => {
    assert.equal(await failureOf("/bin/sh", "-c", "exit 3"), "it ended with exit status 3");
    assert.match((await failureOf("/nonexistent/program")) ?? "", /ENOENT/);
  });

  it("is not started where its report cannot be written", () => {
    assert.throws(() => startInBackground("/bin/true", [], path("none", "report")), failure("NOT_FOUND", /ENOENT/));
  });
});
