import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type LogSource, mergeLines } from "../../src/api/merge-lines.ts";
import type { LogLine } from "../../src/pod/log-lines.ts";

/** A log that gives `blocks` of lines, each named by its time, and whose earlier bytes go when the next are read. */
function source(app: string, ...blocks: readonly (readonly string[])[]): LogSource {
  let index = 0;
  let last: readonly LogLine[] = [];
  return {
    app,
    log: {
      next: () => {
        for (const { bytes } of last) bytes.fill("?");
        const block = blocks[index++];
        if (block === undefined) return undefined;
        last = block.map((time) => ({ time, stream: "stdout", bytes: Buffer.from(time), isStart: true, isEnd: true }));
        return last;
      },
      flush: () => [],
      close: () => {},
    },
  };
}

function merged(...sources: readonly LogSource[]): string {
  let text = "";
  for (const lines of mergeLines(sources)) text += lines.map(({ app, bytes }) => `${app}${bytes} `).join("");
  return text.trim();
}

describe("mergeLines (LIFE-74)", () => {
  it("lines of several logs come in the order of their times, those of one in their own", () => {
    assert.equal(merged(source("a", ["1", "4"], ["5"]), source("b", ["2"], [], ["3", "6"])), "a1 b2 b3 a4 a5 b6");
    assert.equal(merged(source("a", ["3", "1"]), source("b", ["2"])), "b2 a3 a1");
    assert.equal(merged(source("a"), source("b", ["1"])), "b1");
    assert.equal(merged(source("a", ["1"], ["2"])), "a1 a2");
    assert.equal(merged(source("a"), source("b")), "");
  });
  it("what is given out is still there: no log is read on before", () => {
    const blocks = (from: number) => Array.from({ length: 50 }, (_, n) => [`${1000 + 2 * n + from}`]);
    assert.doesNotMatch(merged(source("a", ...blocks(0)), source("b", ...blocks(1))), /\?/);
  });
});
