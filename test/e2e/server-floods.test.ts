/** T-D07: servers that never come to the point, and what the whole program takes of memory meanwhile. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import * as tls from "node:tls";
import { type Authority, createAuthority } from "../helpers/https-server.ts";
import { project, Running, Workspace } from "../helpers/program.ts";

const host = "example.com";
const most = 150;
const work = new Workspace();
let authority: Authority;
let server: tls.Server;
let port = 0;
/** Bytes that the next client gets, as fast as it takes them. */
let pieces: () => Iterable<Buffer | string> = () => [];
/** Bytes that the clients took. */
let sent = 0;

before(async () => {
  authority = createAuthority();
  server = tls.createServer(authority.issue([host]), (socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", () => void flood(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as AddressInfo);
  // What this process had at most, not what it was forked from.
  const hook = `process.on("exit", () => { const fs = require("node:fs");
    fs.writeFileSync(process.env.PEAK, /VmHWM:\\s*(\\d+) kB/.exec(fs.readFileSync("/proc/self/status", "latin1"))[1]); });`;
  writeFileSync(work.path("peak.cjs"), hook);
});
after(async () => {
  await work.close();
  server.close();
  authority.remove();
});

async function flood(socket: tls.TLSSocket): Promise<void> {
  for (const piece of pieces()) {
    if (socket.destroyed) return;
    sent += piece.length;
    if (!socket.write(piece)) await drained(socket);
  }
  socket.end();
}

function drained(socket: tls.TLSSocket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}

/** `perigee ARGS…` against the server; how it ended and how many MiB it had in memory at most. */
async function asking(...args: readonly string[]): Promise<{ status: number; stderr: string; peak: number }> {
  sent = 0;
  const peak = work.path("peak");
  const flags = ["--ca-file", authority.caFile, "--connect-to", `${host}:127.0.0.1:${port}`];
  const node = [process.execPath, "--require", work.path("peak.cjs"), join(project, "dist", "perigee.cjs")];
  const line = ["env", `PEAK=${peak}`, ...node, ...work.globals, ...flags, "--insecure-options=image", ...args];
  const running = new Running(work.startCommand(line, "pipe"));
  const status = await running.ended;
  return { status, stderr: running.stderr, peak: Number(readFileSync(peak, "utf8")) / 1024 };
}

function* repeated(piece: Buffer | string, times: number): Iterable<Buffer | string> {
  for (let i = 0; i < times; i += 1) yield piece;
}

const mebibyte = Buffer.alloc(1024 * 1024, "<p>more</p>\n");
const page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n";

describe("T-D07: a server that floods", () => {
  it("100,000 answers of 100 Continue are passed over, and the one behind them counts", async () => {
    pieces = () => [
      ...repeated("HTTP/1.1 100 Continue\r\n\r\n".repeat(1000), 100),
      "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ];
    const { status, stderr, peak } = await asking("fetch", `https://${host}/x.aci`);
    assert.equal(status, 3, stderr);
    assert.match(stderr, /^error\[/m);
    assert.ok(sent > 2_500_000, `${sent} bytes were taken`);
    assert.ok(peak > 10 && peak < most, `${peak} MiB`);
  });

  it("a page of 10 GiB is not read behind its first MiB", async () => {
    pieces = () => {
      function* endless(): Iterable<Buffer | string> {
        yield page;
        yield* repeated(mebibyte, 10 * 1024);
      }
      return endless();
    };
    const { status, stderr, peak } = await asking("fetch", `${host}/web`);
    assert.equal(status, 1, stderr);
    assert.match(stderr, /^error\[LIMIT_EXCEEDED\]: .*longer than the 1048576 bytes/m);
    assert.ok(sent < 512 * 1024 * 1024, `${sent} bytes were taken`);
    assert.ok(peak > 10 && peak < most, `${peak} MiB`);
  });

  it("headers without an end are given up", async () => {
    pieces = () => {
      function* endless(): Iterable<Buffer | string> {
        yield "HTTP/1.1 200 OK\r\n";
        yield* repeated(`X-More: ${"x".repeat(1000)}\r\n`, 10_000_000);
      }
      return endless();
    };
    const { status, stderr, peak } = await asking("fetch", `https://${host}/x.aci`);
    assert.equal(status, 7, stderr);
    assert.match(stderr, /longer than 16 KiB/);
    assert.ok(peak > 10 && peak < most, `${peak} MiB`);
  });
});
