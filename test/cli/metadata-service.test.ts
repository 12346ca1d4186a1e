import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { temporary } from "../helpers/trust.ts";

const program = resolve("build/src/cli/main.js");
const path = temporary();
const line = (...args: readonly string[]): readonly string[] => [
  ...[program, "--dir", path("data"), "--system-config", path("system"), "--local-config", path("local")],
  ...["metadata-service", ...args],
];

describe("perigee metadata-service", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`says where pods are registered, and ends well with ${signal}`, async () => {
      const child = spawn(process.execPath, line("--format", "json"), { stdio: ["ignore", "pipe", "inherit"] });
      const [said] = await once(child.stdout, "data");
      assert.deepEqual(JSON.parse(String(said)), { socket: path("data", "metadata", "socket") });
      child.kill(signal);
      assert.deepEqual(await once(child, "close"), [0, null]);
    });
  }

  for (const args of [
    ["--idle", "x"],
    ["--listen-port", "65536"],
    ["--listen-port", "-1"],
    ["--idle", ""],
  ]) {
    it(`${args.join(" ")}: usage`, () => {
      const { status, stderr } = spawnSync(process.execPath, line(...args), { encoding: "utf8", timeout: 60_000 });
      assert.equal(status, 2, stderr);
    });
  }
});
