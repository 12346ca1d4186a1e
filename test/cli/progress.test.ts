import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createProgress, quietPeriod } from "../../src/cli/progress.ts";

const mebibyte = 1024 * 1024;
const erase = "\r\u001b[K";

describe("createProgress (CLI-8): overwrite", () => {
  it("says nothing about short jobs", () => {
    const view = createProgress("overwrite");
    assert.equal(view.update({ task: "t", done: 0 }, 0), "");
    assert.equal(view.update({ task: "t", done: 1, finished: true }, quietPeriod - 1), "");
    assert.equal(view.isActive(), false);
  });
  it("shows amount, total and rate, ten times a second at most", () => {
    const view = createProgress("overwrite");
    view.update({ task: "fetching x", done: 0, total: 10 * mebibyte }, 0);
    const line = view.update({ task: "fetching x", done: 2 * mebibyte, total: 10 * mebibyte }, 2000);
    assert.equal(line, `${erase}fetching x  2.0 MiB of 10.0 MiB (20%)  1.0 MiB/s`);
    assert.equal(view.update({ task: "fetching x", done: 3 * mebibyte }, 2050), "");
    assert.notEqual(view.update({ task: "fetching x", done: 3 * mebibyte }, 2150), "");
  });
  it("shows a job that stalls", () => {
    const view = createProgress("overwrite");
    view.update({ task: "t", done: 5 }, 0);
    assert.match(view.tick(quietPeriod), /t {2}5 B/);
  });
  it("takes its line away before something else is written, once", () => {
    const view = createProgress("overwrite");
    view.update({ task: "t", done: 0 }, 0);
    view.tick(1500);
    assert.equal(view.clear(), erase);
    assert.equal(view.clear(), "");
  });
  it("takes its line away when the last job ends", () => {
    const view = createProgress("overwrite");
    view.update({ task: "t", done: 0 }, 0);
    view.tick(1500);
    assert.equal(view.update({ task: "t", done: 1, finished: true }, 1600), erase);
  });
  it("never wraps, and counts the other jobs", () => {
    const view = createProgress("overwrite");
    view.update({ task: "other", done: 0 }, 0);
    view.update({ task: "x".repeat(200), done: 0 }, 0);
    assert.equal([...view.tick(1500)].length - erase.length, 78);
    view.update({ task: "last", done: 0 }, 0);
    assert.match(view.tick(3000), /last .*\(and 2 more\)$/);
  });
  it("T-R47: a task's name cannot repaint the terminal", () => {
    const view = createProgress("overwrite");
    view.update({ task: "\u001b[2Jx", done: 0 }, 0);
    assert.ok(view.tick(1500).includes("\\x1b[2Jx"));
  });
});

describe("createProgress (CLI-8): lines", () => {
  it("writes one line when a job lasts and one when it ends", () => {
    const view = createProgress("lines");
    assert.equal(view.update({ task: "t", done: 0 }, 0), "");
    assert.equal(view.update({ task: "t", done: 1 }, 1200), "t …\n");
    assert.equal(view.update({ task: "t", done: 2 }, 5000), "");
    assert.equal(view.update({ task: "t", done: mebibyte, finished: true }, 6200), "t: done, 1.0 MiB, 6.2 s\n");
    assert.equal(view.clear(), "");
  });
});

describe("createProgress: none", () => {
  it("never writes", () => {
    const view = createProgress("none");
    assert.equal(view.update({ task: "t", done: 0 }, 0) + view.tick(9000) + view.clear(), "");
  });
});
