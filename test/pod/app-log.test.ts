import assert from "node:assert/strict";
import { appendFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { AppLog, type AppLogOptions, type LogLoss } from "../../src/pod/app-log.ts";
import { record, recordTime } from "../helpers/logs.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

function open(directory: string, options: Partial<AppLogOptions> = {}): AppLog {
  const log = AppLog.open({ directory, app: "app", ...options });
  assert.ok(log);
  return log;
}

function lines(log: AppLog): readonly string[] {
  const found: string[] = [];
  for (let next = log.next(); next !== undefined; next = log.next())
    found.push(...next.map(({ bytes }) => String(bytes)));
  return found;
}

function read(directory: string, options: Partial<AppLogOptions> = {}): readonly string[] {
  const log = open(directory, options);
  const found = [...lines(log), ...log.flush().map(({ bytes }) => `${bytes}…`)];
  log.close();
  return found;
}

const text = [
  record(0, "o", "a"),
  record(1, "E", "error, "),
  record(2, "o", "b"),
  "+c\n",
  record(3, "e", "joined"),
  record(4, "O", "unfinished"),
].join("");

describe("AppLog", () => {
  it("LIFE-72: lines between two times, of one stream, the last ones, and all of these together", async (context) => {
    const directory = await temporaryDirectory(context);
    writeFileSync(join(directory, "app"), text);
    const all = ["a", "b", "c", "error, joined", "unfinished…"];
    assert.deepEqual(read(directory), all);
    assert.deepEqual(read(directory, { since: recordTime(2) }), ["b", "c", "unfinished…"]);
    assert.deepEqual(read(directory, { until: recordTime(2) }), ["a", "error, joined"]);
    assert.deepEqual(read(directory, { stream: "stderr" }), ["error, joined"]);
    assert.deepEqual(read(directory, { tail: 2 }), all.slice(2));
    assert.deepEqual(read(directory, { tail: 0 }), ["unfinished…"]);
    assert.deepEqual(read(directory, { tail: 2, stream: "stdout" }), ["b", "c", "unfinished…"]);
    assert.deepEqual(read(directory, { tail: 1, until: recordTime(2) }), ["error, joined"]);
    assert.equal(AppLog.open({ directory, app: "none" }), undefined);
  });

  it("LIFE-71: the last lines are whole when their beginning is further up than the end of a line before", async (context) => {
    const directory = await temporaryDirectory(context);
    const many = `+${"x".repeat(60)}\n`.repeat(50);
    const early = `${record(0, "o", "first")}${many}`.repeat(100);
    writeFileSync(
      join(directory, "app"),
      `${early}${record(1, "E", "begun, ")}${record(2, "o", "x")}${many}${record(3, "e", "ended")}`,
    );
    assert.deepEqual(read(directory, { tail: 1 }), ["begun, ended"]);
  });

  it("SHIM-26: tells of bytes that are missing", async (context) => {
    const directory = await temporaryDirectory(context);
    writeFileSync(join(directory, "app"), `${record(0, "o", "a")}${record(1, "!", "4096")}${record(1, "o", "b")}`);
    const losses: LogLoss[] = [];
    assert.deepEqual(read(directory, { onLoss: (loss) => losses.push(loss) }), ["a", "b"]);
    assert.deepEqual(losses, [{ bytes: 4096, hasGap: false }]);
    writeFileSync(join(directory, "app"), `${record(0, "!", "4096")}${record(1, "o", "a")}${record(1, "o", "b")}`);
    const onLoss = () => assert.fail("it is before the lines that were asked for");
    assert.deepEqual(read(directory, { tail: 1, onLoss }), ["b"]);
  });

  it("LIFE-72: the last lines are no more because the app writes on while they are read", async (context) => {
    const directory = await temporaryDirectory(context);
    const path = join(directory, "app");
    writeFileSync(path, ["a", "b", "c"].map((line, n) => record(n, "o", line)).join(""));
    const window = { tail: 2, stream: "stdout" } as const;
    const [ended, followed] = [open(directory, window), open(directory, window)];
    ended.end();
    const first = [ended, followed].map((log) => log.next()?.map(({ bytes }) => String(bytes)));
    assert.deepEqual(first, [
      ["b", "c"],
      ["b", "c"],
    ]);
    appendFileSync(path, record(4, "o", "later"));
    assert.equal(ended.next(), undefined);
    assert.deepEqual(lines(followed), ["later"]);
    for (const log of [ended, followed]) log.close();
  });

  it("LIFE-94: no more is read than lies behind the beginning, however much is before it and comes after it", async (context) => {
    const directory = await temporaryDirectory(context);
    const many = (text: string) => record(0, "o", text.repeat(1000)).repeat(1000);
    writeFileSync(join(directory, "app.1"), many("x"));
    writeFileSync(join(directory, "app"), many("y"));
    for (const window of [{ tail: 1 }, { since: recordTime(0) }]) {
      utimesSync(join(directory, "app.1"), 0, 0);
      const log = open(directory, window);
      log.end();
      appendFileSync(join(directory, "app"), many("z").repeat(2));
      const found = lines(log);
      const late = found.filter((line) => line.startsWith("z")).length;
      // What is read at once may reach beyond it.
      assert.ok(found.length > 0 && late < 500, `${JSON.stringify(window)}: ${late}`);
      log.close();
      writeFileSync(join(directory, "app"), many("y"));
    }
  });

  it("goes on with what comes", async (context) => {
    const directory = await temporaryDirectory(context);
    writeFileSync(join(directory, "app"), record(0, "O", "half"));
    const log = open(directory, { tail: 5 });
    assert.deepEqual(lines(log), []);
    assert.equal(log.isHolding, true);
    appendFileSync(join(directory, "app"), record(1, "o", " a line"));
    assert.deepEqual(lines(log), ["half a line"]);
    log.close();
  });
});
