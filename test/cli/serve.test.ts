import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { before, describe, it } from "node:test";
import { temporary } from "../helpers/trust.ts";

const program = resolve("build/src/cli/main.js");
const path = temporary();
before(() => {
  mkdirSync(path("site"));
  writeFileSync(path("site", "hello.txt"), "hello");
});

function start(...args: readonly string[]) {
  const globals = ["system", "local", "user"].flatMap((name) => [`--${name}-config`, path(name)]);
  const command = ["serve", "--listen", "127.0.0.1:0", ...args, path("site"), ...globals];
  return spawn(process.execPath, [program, ...command], { stdio: ["ignore", "pipe", "inherit"] });
}

describe("perigee serve", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`says where it is, serves, and ends well with ${signal}`, async () => {
      const child = start("--format", "json");
      const [line] = await once(createInterface(child.stdout), "line");
      const { url, caFile, hosts } = JSON.parse(line);
      assert.deepEqual(hosts, ["localhost", "127.0.0.1", "::1"]);
      const curl = ["--silent", "--noproxy", "*", "--cacert", caFile, `${url}/hello.txt`];
      assert.equal(execFileSync("curl", curl, { encoding: "utf8" }), "hello");
      child.kill(signal);
      assert.deepEqual(await once(child, "close"), [0, null]);
    });
  }

  it("tells people what clients need", async () => {
    const child = start();
    const said: string[] = [];
    createInterface(child.stdout).on("line", (line) => {
      said.push(line);
      if (said.length === 3) child.kill("SIGTERM");
    });
    await once(child, "close");
    const port = /^serving at https:\/\/127\.0\.0\.1:(\d+)$/.exec(said[0] ?? "")?.[1];
    assert.equal(said[1], "  for localhost, 127.0.0.1, ::1");
    assert.equal(
      said[2],
      `  clients: --ca-file ${path("user", "authority", "ca.pem")} --connect-to localhost:127.0.0.1:${port}`,
    );
  });
});
