/** Many processes that fetch the same at the same time (spec/store.md, DOWNLOAD-1…4), against a server that counts and waits. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Authority, createAuthority } from "../helpers/https-server.ts";
import { imageManifest, Running, Workspace } from "../helpers/program.ts";

const host = "example.com";

/** Serves files; the second half of one that is held comes when it is let go. */
class HoldingServer {
  readonly asked: string[] = [];
  readonly files = new Map<string, Buffer>();
  readonly #held = new Map<string, Promise<void>>();
  readonly #letGo = new Map<string, () => void>();
  #server: https.Server | undefined;

  async listen(authority: Authority): Promise<number> {
    const server = https.createServer(authority.issue([host]), (request, response) => {
      const path = request.url ?? "";
      const body = this.files.get(path);
      if (body === undefined) {
        response.writeHead(404).end();
        return;
      }
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      this.asked.push(`${request.method} ${path}${from > 0 ? " rest" : ""}`);
      const range = { "Content-Range": `bytes ${from}-${body.length - 1}/${body.length}` };
      response.writeHead(from > 0 ? 206 : 200, {
        ...(from > 0 && range),
        "Content-Length": body.length - from,
        ETag: '"1"',
      });
      const half = Math.floor(body.length / 2);
      if (from < half) response.write(body.subarray(from, half));
      const rest = () => response.end(body.subarray(Math.max(half, from)));
      void (this.#held.get(path) ?? Promise.resolve()).then(rest);
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  }

  hold(path: string): void {
    this.#held.set(path, new Promise((resolve) => this.#letGo.set(path, resolve)));
  }

  letGo(path: string): void {
    this.#letGo.get(path)?.();
    this.#held.delete(path);
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }
}

const workspace = new Workspace();
const server = new HoldingServer();
const authority = createAuthority();
let flags: readonly string[] = [];

before(async () => {
  const port = await server.listen(authority);
  flags = ["--ca-file", authority.caFile, "--connect-to", `${host}:127.0.0.1:${port}`, "--insecure-options=image"];
});
after(async () => {
  await workspace.close();
  server.close();
  authority.remove();
});

/** Builds an image and puts it on the server, under its URL and where discovery leads. @returns its path */
function publish(name: string, dependencies: readonly string[] = []): string {
  const path = `/${host}/${name}.aci`;
  const manifest = workspace.path(`${name}.json`);
  const built = workspace.path(`${name}.aci`);
  const on = dependencies.map((dependency) => ({ imageName: `${host}/${dependency}` }));
  writeFileSync(manifest, JSON.stringify({ ...imageManifest(`${host}/${name}`), dependencies: on }));
  workspace.must(["build", "--manifest", manifest, "--rootfs", workspace.rootfs(`${name}-rootfs`, { name }), built]);
  server.files.set(path, readFileSync(built));
  return path;
}

const fetching = (...images: readonly string[]): Running =>
  new Running(workspace.start([...flags, "fetch", ...images]));
const at = (path: string): string => `https://${host}${path}`;
const askedFor = (path: string): readonly string[] => server.asked.filter((line) => line.includes(path));

async function untilSaid(running: Running, text: string): Promise<void> {
  while (!running.stderr.includes(text)) {
    assert.equal(running.child.exitCode, null, `ended early: ${running.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function untilAsked(path: string): Promise<void> {
  while (askedFor(path).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** One that would ask for it later only gives up on what is held here, and has then ended. */
async function untilAskedBy(running: Running, path: string): Promise<void> {
  while (askedFor(path).length === 0) {
    assert.equal(running.child.exitCode, null, `ended without asking for ${path}: ${running.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function stored(): readonly string[] {
  const list = JSON.parse(workspace.must(["image", "list", "--format", "json"])) as { name: string }[];
  return list.map(({ name }) => name).sort();
}

function leftovers(): readonly string[] {
  return ["staging", "turns", "trash"].flatMap((name) => readdirSync(join(workspace.data, "store", name)));
}

describe("many processes, one download", () => {
  it("DOWNLOAD-1, DOWNLOAD-4: 100 fetches of one image are one request and one blob", async () => {
    const path = publish("hundred");
    server.hold(path);
    const first = fetching(at(path));
    await untilAsked(path);
    const others = Array.from({ length: 99 }, () => fetching(at(path)));
    for (const other of others) await untilSaid(other, "waiting for another process that fetches");
    server.letGo(path);
    const all = [first, ...others];
    for (const one of all) assert.equal(await one.ended, 0, one.stderr);
    assert.equal(new Set(all.map(({ stdout }) => stdout)).size, 1, "all print the same image");
    assert.deepEqual(askedFor(path), [`GET ${path}`]);
    const blobs = readdirSync(join(workspace.data, "store", "blobs", "sha512"), { recursive: true, encoding: "utf8" });
    assert.equal(blobs.filter((name) => name.includes("/")).length, 1);
    assert.deepEqual(leftovers(), []);
  });

  it("DOWNLOAD-3: when the one that downloads is killed, the next goes on where it was", async () => {
    const path = publish("killed");
    server.hold(path);
    const first = fetching(at(path));
    await untilAsked(path);
    const second = fetching(at(path));
    await untilSaid(second, "waiting for another process");
    await untilPartThere();
    first.child.kill("SIGKILL");
    assert.equal(await first.ended, -1);
    server.letGo(path);
    assert.equal(await second.ended, 0, second.stderr);
    assert.deepEqual(askedFor(path), [`GET ${path}`, `GET ${path} rest`]);
    assert.deepEqual(leftovers(), []);
  });

  it("DOWNLOAD-2: several images in opposite orders come once each", async () => {
    const paths = ["one", "two", "three"].map((name) => publish(name));
    for (const path of paths) server.hold(path);
    const runs = [paths, paths.toReversed()].map((order) => fetching(...order.map(at)));
    const waits = () => runs.flatMap(({ stderr }) => stderr.match(/waiting for another process/g) ?? []).length;
    while (waits() < paths.length) await new Promise((resolve) => setTimeout(resolve, 20));
    for (const path of paths) server.letGo(path);
    for (const run of runs) assert.equal(await run.ended, 0, run.stderr);
    for (const path of paths) assert.deepEqual(askedFor(path), [`GET ${path}`], path);
    assert.deepEqual(leftovers(), []);
  });

  it("DOWNLOAD-2: two that each hold what the other needs next do not wait for each other", async () => {
    server.files.set("/?ac-discovery=1", Buffer.from(page));
    // Left gets a, then b; right gets b, then a; neither stores anything before it has both.
    const [b, a] = [publish("b"), publish("a", ["b"])];
    const [left, , right] = [publish("left", ["a"]), publish("c", ["a"]), publish("right", ["b", "c"])];
    for (const path of [a, b]) server.hold(path);
    const runs = [left, right].map((path) => fetching(at(path)));
    for (const path of [a, b]) await untilAsked(path);
    for (const path of [a, b]) server.letGo(path);
    for (const run of runs) assert.equal(await run.ended, 0, run.stderr);
    for (const path of [a, b]) assert.deepEqual(askedFor(path), [`GET ${path}`], path);
    for (const name of ["a", "b", "c", "left", "right"]) assert.ok(stored().includes(`${host}/${name}`), name);
    assert.deepEqual(leftovers(), []);
  });
});

describe("dependencies come side by side", () => {
  it("both of one image are asked for before either has come, and then stored before it", async () => {
    server.files.set("/?ac-discovery=1", Buffer.from(page));
    const [port, starboard] = [publish("port"), publish("starboard")];
    const boat = publish("boat", ["port", "starboard"]);
    for (const path of [port, starboard]) server.hold(path);
    const run = fetching(at(boat));
    for (const path of [port, starboard]) await untilAskedBy(run, path);
    for (const path of [port, starboard]) server.letGo(path);
    assert.equal(await run.ended, 0, run.stderr);
    for (const path of [boat, port, starboard]) assert.deepEqual(askedFor(path), [`GET ${path}`], path);
    for (const name of ["boat", "port", "starboard"]) assert.ok(stored().includes(`${host}/${name}`), name);
    assert.deepEqual(leftovers(), []);
  });
});

describe("several downloads, one display", () => {
  it("CLI-8: each that lasts is named once, and all are summed up in one line", async () => {
    const paths = ["first", "second", "third"].map((name) => publish(name));
    for (const path of paths) server.hold(path);
    const run = fetching(...paths.map(at));
    await untilSaid(run, "all  3 under way, 0 done");
    for (const path of paths) server.letGo(path);
    assert.equal(await run.ended, 0, run.stderr);
    const lines = Buffer.from(run.stderr, "latin1").toString("utf8").split("\n");
    for (const path of paths) {
      const task = `fetching ${at(path)}`;
      assert.equal(lines.filter((line) => line === `${task} …`).length, 1, run.stderr);
      assert.equal(lines.filter((line) => line.startsWith(`${task}: done, `)).length, 1, run.stderr);
    }
    assert.doesNotMatch(run.stderr, /[\u0000-\u0008\u000b-\u001f]/, "standard error is no terminal");
  });
});

const page = `<meta name="ac-discovery" content="${host} https://${host}/{name}.{ext}">`;

async function untilPartThere(): Promise<void> {
  const staging = join(workspace.data, "store", "staging");
  const hasPart = () =>
    readdirSync(staging).some((name) => {
      const archive = statSync(join(staging, name, "archive"), { throwIfNoEntry: false });
      return archive !== undefined && archive.size > 0 && readdirSync(join(staging, name)).includes("download");
    });
  while (!hasPart()) await new Promise((resolve) => setTimeout(resolve, 20));
}
