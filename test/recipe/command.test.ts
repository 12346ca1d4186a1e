import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { runCommand } from "../../src/recipe/command.ts";
import type { CommandRequest } from "../../src/recipe/pod-of-step.ts";
import { type Layer, viewOf } from "../../src/store/stack.ts";
import { fails } from "../helpers/failures.ts";
import { guest } from "../helpers/program.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
let layer: Layer;
before(async () => {
  world = await RecipeWorld.open();
  layer = world.layer("image", { "etc/passwd": "www:x:33:44::/srv:/bin/sh\n" });
  copyFileSync(guest, world.path("image/guest"));
  mkdirSync(world.data, { recursive: true });
});
after(() => world.remove());

let scratch = 0;
function request(command: readonly string[], changes: Partial<CommandRequest> = {}): CommandRequest {
  scratch += 1;
  mkdirSync(world.path(`scratch${scratch}`));
  return {
    data: world.data,
    imageName: "example.com/made",
    view: viewOf([layer]),
    scratch: world.path(`scratch${scratch}`),
    command,
    user: "0",
    group: "0",
    environment: [],
    workingDirectory: undefined,
    network: "none",
    insecure: new Set(),
    hostFiles: { resolvConf: undefined, hosts: undefined },
    log: world.settings.log,
    ...changes,
  };
}
const run = (command: readonly string[], changes: Partial<CommandRequest> = {}) =>
  runCommand(request(command, changes), world.path("log"), async (result) => result);
const remains = () => world.podRemains();

describe("runCommand", () => {
  it("waits, keeps what was said on both streams, and leaves no pod", async () => {
    const { status, lastLines } = await run([
      "/guest",
      "echo",
      "to stdout",
      ",",
      "error",
      "to stderr",
      ",",
      "exit",
      "3",
    ]);
    assert.equal(status, 3);
    assert.deepEqual([...lastLines].sort(), ["to stderr", "to stdout"]);
    assert.match(readFileSync(world.path("log"), "utf8"), /to stdout/);
    assert.deepEqual(remains(), []);
  });
  it("names the last lines of much, and bounds the log", async () => {
    const { status, lastLines } = await run(["/guest", "print", String(40 * 1024 * 1024)]);
    assert.equal(status, 0);
    assert.ok(lastLines.length <= 20);
    assert.equal(statSync(world.path("log")).size, 32 * 1024 * 1024);
  });
  it("a program that is not there", async () => {
    await assert.rejects(run(["/absent"]), fails("EXEC_NOT_FOUND", /absent/));
    assert.deepEqual(remains(), []);
  });
  it("an abort ends the command and leaves no pod", async () => {
    const ended = new AbortController();
    const running = run(["/guest", "sleep", "600"], { signal: ended.signal });
    setTimeout(() => ended.abort(), 500);
    await assert.rejects(running, fails("INTERRUPTED"));
    assert.deepEqual(remains(), []);
  });
  it("a user of the image, who is not there in another", async () => {
    assert.equal((await run(["/guest", "exit", "0"], { user: "www", group: "44" })).status, 0);
    await assert.rejects(run(["/guest", "exit", "0"], { user: "nobody" }), fails("NOT_FOUND", /nobody/));
    assert.deepEqual(remains(), []);
  });
});
