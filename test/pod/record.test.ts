import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  isAlive,
  type PodRecord,
  readAppExit,
  readAppProcess,
  readHealth,
  readInit,
  readPodRecord,
  readRestarts,
  readSupervisor,
  writePodRecord,
} from "../../src/pod/record.ts";

let directory = "";
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), `perigee-record-${process.pid}-`)), "u");
  mkdirSync(directory);
});
afterEach(() => rmSync(dirname(directory), { recursive: true, force: true }));

const record: PodRecord = {
  uuid: "u",
  createdAt: "2026-01-01T00:00:00.000Z",
  apps: [],
  network: "none",
  hostname: "h",
  idBase: 65536,
  cgroups: ["/sys/fs/cgroup/pids/perigee-u"],
};

describe("readRestarts", () => {
  it("LIFE-63: is what the supervisor wrote, and nothing for what it did not", () => {
    mkdirSync(join(directory, "status"));
    const file = join(directory, "status", "web.restarts");
    assert.equal(readRestarts(directory, "web"), undefined);
    writeFileSync(file, "12 3 1767225600 waiting\n");
    const endedAt = new Date("2026-01-01T00:00:00Z");
    assert.deepEqual(readRestarts(directory, "web"), { count: 12, status: 3, endedAt, isWaiting: true });
    for (const text of ["", "1 2 3\n", "1 2 3 waiting", "-1 2 3 waiting\n", "1 2 999999999999 running\n"]) {
      writeFileSync(file, text);
      assert.equal(readRestarts(directory, "web"), undefined, text);
    }
  });
});

describe("readHealth", () => {
  it("LIFE-67: is what the supervisor wrote, and nothing for what it did not", () => {
    mkdirSync(join(directory, "status"));
    const file = join(directory, "status", "web.health");
    assert.equal(readHealth(directory, "web"), undefined);
    const read = (text: string) => {
      writeFileSync(file, text);
      const health = readHealth(directory, "web");
      return health && { ...health, checkedAt: health.checkedAt instanceof Date };
    };
    const none = { state: "starting", failingStreak: 0, lastStatus: undefined, lastOutput: "", checkedAt: true };
    assert.deepEqual(read("starting 0 none\n"), none);
    assert.deepEqual(read("unhealthy 12 timeout\nno\nanswer"), {
      ...none,
      state: "unhealthy",
      failingStreak: 12,
      lastStatus: "timeout",
      lastOutput: "no\nanswer",
    });
    assert.equal(read("healthy 0 0\n")?.lastStatus, 0);
    for (const text of ["", "healthy 0 0", "well 0 0\n", "healthy -1 0\n", "healthy 0\n"]) {
      assert.equal(read(text), undefined, text);
    }
  });
});

describe("the pod record", () => {
  it("is read as it was written", () => {
    writePodRecord(directory, record);
    assert.deepEqual(readPodRecord(directory), record);
  });

  for (const [why, text] of [
    ["torn", '{"uuid":"u","crea'],
    ["empty", ""],
    ["of another shape", '{"uuid":1}'],
    ["no object", "[]"],
  ] as const) {
    it(`LIFE-19: is none when it is ${why}`, () => {
      writeFileSync(join(directory, "record"), text);
      assert.equal(readPodRecord(directory), undefined);
    });
  }
});

describe("init and the apps' ends", () => {
  it("knows a process from a later one with the same number", () => {
    const stat = readFileSync("/proc/self/stat", "utf8");
    const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
    writeFileSync(join(directory, "pid"), `${process.pid} ${startTime}\n`);
    const init = readInit(directory);
    assert.ok(init !== undefined && isAlive(init));
    assert.equal(isAlive({ pid: process.pid, startTime: String(Number(startTime) + 1) }), false);
    assert.equal(isAlive({ pid: 4194304, startTime }), false);
  });

  it("LIFE-46: an app's process is told whole or not at all", () => {
    mkdirSync(join(directory, "pids"), { recursive: true });
    assert.equal(readAppProcess(directory, "none"), undefined);
    for (const [text, expected] of [
      ["12 345\n", { pid: 12, startTime: "345" }],
      ["12 345", undefined],
      ["12 345 6 7\n", undefined],
      ["", undefined],
    ] as const) {
      writeFileSync(join(directory, "pids", "web"), text);
      assert.deepEqual(readAppProcess(directory, "web"), expected, text);
    }
  });

  it("LIFE-31: tells init from the supervisor, whose pid may be missing", () => {
    writeFileSync(join(directory, "pid"), "12 345 6 78\n");
    assert.deepEqual([readInit(directory)?.pid, readInit(directory)?.startTime], [12, "345"]);
    assert.deepEqual(readSupervisor(directory), { pid: 6, startTime: "78" });
    writeFileSync(join(directory, "pid"), "12 345\n");
    assert.equal(readInit(directory)?.pid, 12);
    assert.equal(readSupervisor(directory), undefined);
    for (const text of ["12 345 6\n", "12 345 6 78", "", "-1 2 3 4\n"]) {
      writeFileSync(join(directory, "pid"), text);
      assert.deepEqual([readInit(directory), readSupervisor(directory)], [undefined, undefined], text);
    }
  });

  it("LIFE-16: invents no exit status", () => {
    mkdirSync(join(directory, "status"));
    assert.equal(readAppExit(directory, "web"), undefined);
    writeFileSync(join(directory, "status", "web"), "");
    assert.equal(readAppExit(directory, "web"), undefined);
    writeFileSync(join(directory, "status", "web"), "137\n");
    assert.equal(readAppExit(directory, "web")?.status, 137);
  });
});
