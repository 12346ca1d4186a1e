import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, fstatSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { FileLock } from "../../src/shim/flock.ts";
import { type Scratch, scratch } from "../helpers/shim.ts";

let scene: Scratch;
let children: ChildProcess[] = [];

beforeEach(() => {
  scene = scratch();
  writeFileSync(scene.at("file"), "");
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  children = [];
  await scene.remove();
});

function open(path: string, mode: "shared" | "exclusive"): FileLock {
  const lock = FileLock.open(path, mode);
  assert.ok(lock !== undefined, "the lock is free");
  return lock;
}

/** Another process that holds the lock until `letGo`. */
async function holder(path: string): Promise<{ letGo(): Promise<void>; kill(): Promise<void> }> {
  const child = spawn("flock", [path, "sh", "-c", "echo held; cat"], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    letGo: () => {
      child.stdin.end();
      return gone;
    },
    kill: () => {
      child.kill("SIGKILL");
      child.stdin.end();
      return gone;
    },
  };
}

describe("FileLock.open", () => {
  it("an exclusive lock keeps everybody else out, also of this process, until it is released", () => {
    const lock = open(scene.at("file"), "exclusive");
    assert.equal(FileLock.open(scene.at("file"), "exclusive"), undefined);
    assert.equal(FileLock.open(scene.at("file"), "shared"), undefined);
    lock.release();
    lock.release();
    open(scene.at("file"), "exclusive").release();
  });

  it("shared locks go together", () => {
    const one = open(scene.at("file"), "shared");
    const two = open(scene.at("file"), "shared");
    assert.equal(FileLock.open(scene.at("file"), "exclusive"), undefined);
    one.release();
    two.release();
    open(scene.at("file"), "exclusive").release();
  });

  it("directories can be locked, and stay so when they are moved", () => {
    mkdirSync(scene.at("prepare"));
    const lock = open(scene.at("prepare"), "exclusive");
    renameSync(scene.at("prepare"), scene.at("run"));
    assert.equal(FileLock.open(scene.at("run"), "shared"), undefined);
    lock.release();
  });

  it("upgrade and downgrade", () => {
    const one = open(scene.at("file"), "shared");
    const two = open(scene.at("file"), "shared");
    assert.equal(one.upgrade(), false);
    two.release();
    assert.equal(one.upgrade(), true);
    assert.equal(FileLock.open(scene.at("file"), "shared"), undefined);
    one.downgrade();
    open(scene.at("file"), "shared").release();
    one.release();
  });

  it("makes the file only when told to, for its owner alone", () => {
    assert.throws(
      () => FileLock.open(scene.at("new"), "shared"),
      (error) => error instanceof Failure && error.code === "NOT_FOUND",
    );
    assert.equal(existsSync(scene.at("new")), false);
    const lock = FileLock.open(scene.at("new"), "shared", { create: true });
    assert.equal(fstatSync(lock?.fd ?? -1).mode & 0o7777, 0o600);
    lock?.release();
  });

  it("never goes through a link", () => {
    symlinkSync("file", scene.at("link"));
    assert.throws(
      () => FileLock.open(scene.at("link"), "shared"),
      (error) => error instanceof Failure && error.code === "IO_FAILED",
    );
  });

  it("the descriptor is not inherited by programs that are executed", () => {
    const lock = open(scene.at("file"), "exclusive");
    const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${lock.fd}`, "utf8"))?.[1] ?? "0";
    assert.notEqual(Number.parseInt(flags, 8) & 0o2000000, 0);
    lock.release();
  });

  it("another process's lock counts, and ends with it, however it ends", async () => {
    const other = await holder(scene.at("file"));
    assert.equal(FileLock.open(scene.at("file"), "shared"), undefined);
    await other.kill();
    FileLock.open(scene.at("file"), "exclusive", { wait: true })?.release();
  });
});

describe("FileLock.acquire", () => {
  it("takes a free lock without a word", async () => {
    const lock = await FileLock.acquire(scene.at("file"), "exclusive", { onWait: () => assert.fail("it was free") });
    lock.release();
  });

  it("waits, says so once, and does not hold up the event loop", async () => {
    const other = await holder(scene.at("file"));
    let waits = 0;
    let letGo: Promise<void> | undefined;
    const lock = await FileLock.acquire(scene.at("file"), "exclusive", {
      onWait: () => {
        waits++;
        // Only an event loop that runs lets the other process be told.
        letGo = other.letGo();
      },
    });
    await letGo;
    assert.equal(waits, 1);
    assert.equal(FileLock.open(scene.at("file"), "shared"), undefined);
    lock.release();
  });

  it("gives up when told to", async () => {
    const held = open(scene.at("file"), "exclusive");
    const controller = new AbortController();
    const waiting = FileLock.acquire(scene.at("file"), "shared", {
      signal: controller.signal,
      onWait: () => controller.abort(),
    });
    await assert.rejects(waiting, (error) => error instanceof Failure && error.code === "INTERRUPTED");
    held.release();
    open(scene.at("file"), "exclusive").release();
  });
});
