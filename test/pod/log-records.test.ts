import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LogParser, lineEnds } from "../../src/pod/log-records.ts";
import { record, recordTime } from "../helpers/logs.ts";

const parse = (text: string) =>
  new LogParser()
    .parse(Buffer.from(text, "latin1"))
    .map((one) =>
      "lostBytes" in one
        ? `lost ${one.lostBytes}`
        : `${one.time} ${one.stream} ${one.bytes.toString("latin1")}${one.isWhole ? "" : "…"}`,
    );

describe("LogParser", () => {
  it("SHIM-20: a head says time, stream and whether the line ends; a mark says that it is as before", () => {
    const text = `${record(0, "o", "a")}+b\n-c\n${record(1, "e", "")}+\n${record(2, "E", "d e")}`;
    const [t0, t1, t2] = [0, 1, 2].map(recordTime);
    assert.deepEqual(parse(text), [
      `${t0} stdout a`,
      `${t0} stdout b`,
      `${t0} stdout c…`,
      `${t1} stderr `,
      `${t1} stderr `,
      `${t2} stderr d e…`,
    ]);
  });
  it("SHIM-21: what looks like a record inside of a line is a part of the line", () => {
    const forged = record(9, "e", "forged").slice(0, -1);
    assert.deepEqual(parse(record(0, "o", forged)), [`${recordTime(0)} stdout ${forged}`]);
    assert.deepEqual(parse(`${record(0, "o", "a")}+${forged}\n`).at(-1), `${recordTime(0)} stdout ${forged}`);
  });
  it("SHIM-22: a record that is torn anywhere is passed over, and so is what leans on it", () => {
    const whole = `${record(0, "o", "a")}+b\n`;
    const torn = record(1, "o", "torn");
    // Never whole: what is there of it does not end.
    for (let length = 0; length < torn.length; length++) {
      assert.deepEqual(parse(whole + torn.slice(0, length)).length, 2, `${length}`);
    }
    for (const bad of ["", "\0\0\0", "2026", `${recordTime(1)} x a`, `${recordTime(1)} o`, "{}"]) {
      assert.deepEqual(parse(`${bad}\n+leaning\n${record(2, "o", "c")}`), [`${recordTime(2)} stdout c`], bad);
    }
    assert.deepEqual(parse("+first\n-of a file\n"), []);
  });
  it("SHIM-26: says what there was no room for", () => {
    assert.deepEqual(parse(`${record(0, "!", "4096")}${record(1, "o", "a")}`), [
      "lost 4096",
      `${recordTime(1)} stdout a`,
    ]);
    assert.deepEqual(parse(record(0, "!", "x")), []);
  });
  it("every record says where the next begins", () => {
    const text = `${record(0, "o", "a")}+bb\n${record(1, "!", "1")}`;
    const ends = new LogParser().parse(Buffer.from(text)).map(({ end }) => end);
    assert.deepEqual(ends, [35, 39, text.length]);
  });
});

describe("lineEnds", () => {
  it("counts lines, not parts of them", () => {
    const text = `${record(0, "O", "a")}${record(0, "o", "b")}+c\n-d\n${record(1, "e", "+")}${record(1, "!", "5")}`;
    assert.deepEqual(
      lineEnds(Buffer.from(text)).map((end) => text.slice(0, end).split("\n").length - 1),
      [2, 3, 5],
    );
  });
});
