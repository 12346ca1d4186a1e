import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PodLogLine } from "../../src/api/merge-lines.ts";
import { type LogPresentation, logPrinter } from "../../src/cli/log-lines.ts";

const line = (app: string, text: string, more: Partial<PodLogLine> = {}): PodLogLine => ({
  app,
  time: "2026-01-31T00:00:00.000000001Z",
  stream: "stdout",
  bytes: Buffer.from(text, "latin1"),
  isStart: true,
  isEnd: true,
  ...more,
});

function printed(presentation: Partial<LogPresentation>, ...batches: readonly (readonly PodLogLine[])[]): string {
  const print = logPrinter({ format: "table", timestamps: false, apps: ["a"], isTerminal: false, ...presentation });
  return Buffer.concat(batches.map((lines) => print(lines))).toString("latin1");
}

describe("logPrinter", () => {
  it("CLI-71: one app's bytes come out as they went in, an unfinished line without an end", () => {
    const bytes = "\u001b[2J\u0000\u00ff\r";
    assert.equal(printed({}, [line("a", bytes), line("a", "part", { isEnd: false })]), `${bytes}\npart`);
  });
  it("CLI-72: on a terminal nothing of an app is more than a character", () => {
    const text = printed({ isTerminal: true }, [
      line("a", "\u001b]0;title\u0007\u001b[8m\tx\u009b2J\r"),
      line("a", "\u00e2\u0080\u00ae"),
    ]);
    assert.doesNotMatch(text, /[^\n\t -~\u00c2\u00ef\u00bf\u00bd]/);
    assert.match(text, /^\\x1b\]0;title\\x07\\x1b\[8m\tx.*2J\n\\u\{202e\}\n$/);
  });
  it("LIFE-74: lines of several apps begin with their names, and with their times if asked for", () => {
    const apps = ["web", "db"];
    assert.equal(printed({ apps }, [line("web", "1"), line("db", "2")]), "web | 1\ndb  | 2\n");
    assert.equal(printed({ timestamps: true }, [line("a", "1")]), "2026-01-31T00:00:00.000000001Z 1\n");
  });
  it("a line that another one interrupts goes on behind a prefix of its own", () => {
    const apps = ["a", "b"];
    const [begun, more] = [line("a", "x", { isEnd: false }), line("a", "y", { isStart: false })];
    assert.equal(printed({ apps }, [begun], [more]), "a | xy\n");
    assert.equal(printed({ apps }, [begun, line("b", "z")], [more]), "a | x\nb | z\na | y\n");
    assert.equal(printed({ apps }, [begun], [line("a", "new")]), "a | x\na | new\n");
  });
  it("CLI-73: JSON has an object a line, with the bytes where they are no text", () => {
    const text = printed({ format: "json", isTerminal: true }, [
      line("a", "plain \u0007"),
      line("a", "\u00ff", { stream: "stderr", isEnd: false }),
    ]);
    assert.doesNotMatch(text, /\u0007/);
    const time = "2026-01-31T00:00:00.000000001Z";
    assert.deepEqual(
      text
        .trim()
        .split("\n")
        .map((one) => JSON.parse(one)),
      [
        { time, app: "a", stream: "stdout", line: "plain \u0007" },
        {
          time,
          app: "a",
          stream: "stderr",
          line: Buffer.from("\ufffd").toString("latin1"),
          base64: "/w==",
          partial: true,
        },
      ],
    );
  });
});
