import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LineJoiner, mostHeld } from "../../src/pod/log-lines.ts";
import type { LogStream } from "../../src/pod/log-records.ts";

const part = (time: string, stream: LogStream, text: string, isWhole: boolean) => ({
  time,
  stream,
  bytes: Buffer.from(text),
  isWhole,
  end: 0,
});

describe("LineJoiner (LIFE-71)", () => {
  it("puts the parts of a line together, each stream for itself, under the time of the first", () => {
    const joiner = new LineJoiner();
    assert.equal(joiner.add(part("1", "stdout", "a", false)), undefined);
    assert.equal(joiner.add(part("2", "stderr", "x", true))?.bytes.toString(), "x");
    assert.equal(joiner.isHolding, true);
    const line = joiner.add(part("3", "stdout", "b", true));
    assert.deepEqual(
      { ...line, bytes: String(line?.bytes) },
      { time: "1", stream: "stdout", bytes: "ab", isStart: true, isEnd: true },
    );
    assert.equal(joiner.isHolding, false);
  });
  it("holds no more than its bound: a longer line is given in parts that say so", () => {
    const joiner = new LineJoiner();
    const long = "x".repeat(mostHeld / 2);
    assert.equal(joiner.add(part("1", "stdout", long, false)), undefined);
    const first = joiner.add(part("2", "stdout", long, false));
    assert.deepEqual([first?.bytes.length, first?.isStart, first?.isEnd], [mostHeld, true, false]);
    const last = joiner.add(part("3", "stdout", "end", true));
    assert.deepEqual([last?.bytes.toString(), last?.isStart, last?.isEnd], ["end", false, true]);
    assert.equal(joiner.add(part("4", "stdout", "new", true))?.isStart, true);
  });
  it("gives what is unfinished when asked, and knows what goes on from it", () => {
    const joiner = new LineJoiner();
    joiner.add(part("2", "stdout", "out", false));
    joiner.add(part("1", "stderr", "err", false));
    assert.deepEqual(
      joiner.flush().map(({ bytes, isEnd }) => [bytes.toString(), isEnd]),
      [
        ["err", false],
        ["out", false],
      ],
    );
    assert.deepEqual(joiner.flush(), []);
    assert.equal(joiner.add(part("3", "stdout", "more", true))?.isStart, false);
  });
});
