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
    assert.equal(line, "fetching x  2.0 MiB of 10.0 MiB (20%)  1.0 MiB/s");
    assert.equal(view.update({ task: "fetching x", done: 3 * mebibyte }, 2050), "");
    assert.equal(
      view.update({ task: "fetching x", done: 3 * mebibyte }, 3000),
      `${erase}fetching x  3.0 MiB  1.0 MiB/s`,
    );
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
  it("takes its line away when the last job ends, well or not", () => {
    for (const isBroken of [false, true]) {
      const view = createProgress("overwrite");
      view.update({ task: "t", done: 0 }, 0);
      view.tick(1500);
      assert.equal(view.update({ task: "t", done: 1, finished: true, isBroken }, 1600), erase);
      assert.equal(view.isActive(), false);
    }
  });
  it("never wraps, and leaves the figures of a long name", () => {
    const view = createProgress("overwrite");
    const task = `fetching https://example.com/${"x".repeat(200)}/web-1.0.aci`;
    view.update({ task, done: 5 * mebibyte }, 0);
    const line = view.tick(5000);
    assert.equal([...line].length, 78);
    assert.match(line, /^fetching .*….*\/web-1\.0\.aci {2}5\.0 MiB {2}1\.0 MiB\/s$/);
  });
  it("T-R47: a task's name cannot repaint the terminal", () => {
    const view = createProgress("overwrite");
    view.update({ task: "\u001b[2Jx\ny", done: 0 }, 0);
    assert.ok(view.tick(1500).startsWith("\\x1b[2Jx\\x0ay  "));
  });
});

describe("createProgress (CLI-8): several jobs at once", () => {
  const three = () => {
    const view = createProgress("overwrite");
    for (const task of ["a", "b", "c"]) view.update({ task, done: 0, total: 10 * mebibyte }, 0);
    return view;
  };
  it("has a line for each, in the order they began, and one for all, redrawn in place", () => {
    const view = three();
    view.update({ task: "c", done: 2 * mebibyte, total: 10 * mebibyte }, 500);
    assert.deepEqual(view.tick(2000).split("\n"), [
      "a  0 B of 10.0 MiB (0%)  0 B/s",
      "b  0 B of 10.0 MiB (0%)  0 B/s",
      "c  2.0 MiB of 10.0 MiB (20%)  1.0 MiB/s",
      "all  3 under way, 0 done  2.0 MiB of 30.0 MiB (6%)  1.0 MiB/s",
    ]);
    const again = view.tick(2100);
    assert.ok(again.startsWith("\r\u001b[3A\u001b[Ja  "), JSON.stringify(again));
    assert.equal(view.clear(), "\r\u001b[3A\u001b[J");
  });
  it("counts those that ended meanwhile, so that the sum does not go back", () => {
    const view = three();
    view.tick(1000);
    view.update({ task: "a", done: 10 * mebibyte, total: 10 * mebibyte, finished: true }, 2000);
    view.update({ task: "b", done: 10 * mebibyte, total: 10 * mebibyte, finished: true }, 4000);
    const [only = "", all = "", ...more] = view.tick(5000).split("\n");
    assert.match(only, /c {2}0 B of 10\.0 MiB/);
    assert.equal(all, "all  1 under way, 2 done  20.0 MiB of 30.0 MiB (66%)  4.0 MiB/s");
    assert.deepEqual(more, []);
    assert.notEqual(view.update({ task: "c", done: 1, finished: true }, 6000), "");
    view.update({ task: "d", done: 0 }, 7000);
    assert.equal(view.tick(9000), "d  0 B  0 B/s", "what came before is another matter");
  });
  it("says no share where a total is not known, and lists a few at most", () => {
    const view = createProgress("overwrite");
    for (let count = 0; count < 20; count++) view.update({ task: `t${count}`, done: 1 }, 0);
    const lines = view.tick(1000).split("\n");
    assert.equal(lines.length, 7);
    assert.equal(lines.at(-1), "all  20 under way, 0 done  20 B  20 B/s");
  });
});

describe("createProgress (CLI-8): work that is not counted", () => {
  it("has its time and no amount, while it lasts and when it ends", () => {
    const line = createProgress("overwrite");
    line.update({ task: "t" }, 0);
    assert.equal(line.tick(2000), "t  2.0 s");
    const lines = createProgress("lines");
    lines.update({ task: "t" }, 0);
    assert.equal(lines.tick(1200), "t …\n");
    assert.equal(lines.update({ task: "t", finished: true }, 3000), "t: done, 3.0 s\n");
  });
});

describe("createProgress (CLI-8): lines", () => {
  it("writes one line when a job lasts, one every few seconds and one when it ends", () => {
    const view = createProgress("lines");
    assert.equal(view.update({ task: "t", done: 0 }, 0), "");
    assert.equal(view.update({ task: "t", done: 1 }, 1200), "t …\n");
    assert.equal(view.update({ task: "t", done: 2 }, 6100), "");
    assert.equal(view.update({ task: "t", done: 6200 }, 6200), "t  6.1 KiB  1000 B/s\n");
    assert.equal(view.update({ task: "t", done: 7000 }, 11_100), "");
    assert.equal(view.update({ task: "t", done: mebibyte, finished: true }, 11_200), "t: done, 1.0 MiB, 11.2 s\n");
    assert.equal(view.clear(), "");
  });
  it("sums up several in one line, and never holds a control character", () => {
    const view = createProgress("lines");
    let text = "";
    for (let now = 0; now < 20_000; now += 100) {
      for (const task of ["a\u001b[31m", "b\r"]) text += view.update({ task, done: now, total: 20_000 }, now);
    }
    text += view.update({ task: "b\r", done: 0, finished: true, isBroken: true }, 20_000);
    assert.deepEqual(
      text.split("\n").map((line) => line.replace(/ {2}\d.*/, "")),
      ["a\\x1b[31m …", "b\\x0d …", "all", "all", "all", "b\\x0d: broken off, 0 B, 20.0 s", ""],
    );
    assert.match(text, /^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f]*$/);
  });
});

describe("createProgress: none", () => {
  it("never writes", () => {
    const view = createProgress("none");
    assert.equal(view.update({ task: "t", done: 0 }, 0) + view.tick(9000) + view.clear(), "");
    assert.equal(view.isActive(), false);
  });
});
