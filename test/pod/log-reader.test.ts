import assert from "node:assert/strict";
import { appendFileSync, existsSync, renameSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LogReader } from "../../src/pod/log-reader.ts";
import { record } from "../helpers/logs.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

/** A log of two rotated files at most. */
function makeLog(directory: string) {
  const path = (number: number) => join(directory, number === 0 ? "app" : `app.${number}`);
  return {
    path,
    write: (text: string) => appendFileSync(path(0), text),
    rotate: () => {
      for (const number of [1, 0]) if (existsSync(path(number))) renameSync(path(number), path(number + 1));
      writeFileSync(path(0), "");
    },
  };
}

function readAll(reader: LogReader): string {
  let text = "";
  for (let block = reader.read(); block !== undefined; block = reader.read()) {
    text += `${block.hasGap ? "GAP " : ""}${block.bytes.toString("latin1").replace(/^.{30} o /gm, "")}`;
  }
  return text;
}

function opened(directory: string): LogReader {
  const reader = LogReader.open(directory, "app");
  assert.ok(reader);
  return reader;
}

describe("LogReader", () => {
  it("LIFE-73: reads a log across its rotations, each record once, while it is written", async (context) => {
    const directory = await temporaryDirectory(context);
    const log = makeLog(directory);
    assert.equal(LogReader.open(directory, "app"), undefined);
    log.write(record(0, "o", "a"));
    const reader = opened(directory);
    assert.equal(readAll(reader), "a\n");
    assert.equal(readAll(reader), "");
    log.write(record(1, "o", "b"));
    log.rotate();
    log.write(record(2, "o", "c"));
    log.rotate();
    log.write(record(3, "o", "d"));
    assert.equal(readAll(reader), "b\nc\nd\n");
    log.rotate();
    assert.equal(readAll(reader), "");
    log.write(record(4, "o", "e"));
    assert.equal(readAll(reader), "e\n");
    reader.close();
    const all = opened(directory);
    assert.equal(readAll(all), "c\nd\ne\n");
    all.close();
  });

  it("LIFE-73: tells of files that went before they were read", async (context) => {
    const log = makeLog(await temporaryDirectory(context));
    log.write(record(0, "o", "a"));
    const reader = opened(join(log.path(0), ".."));
    assert.equal(readAll(reader), "a\n");
    for (let n = 1; n < 6; n++) {
      log.rotate();
      log.write(record(n, "o", `${n}`));
    }
    rmSync(log.path(2));
    assert.equal(readAll(reader), "GAP 4\n5\n");
    reader.close();
  });

  it("SHIM-22: gives whole records only, however they come", async (context) => {
    const log = makeLog(await temporaryDirectory(context));
    const text = `${record(0, "o", "a")}+b\n`;
    log.write("");
    const reader = opened(join(log.path(0), ".."));
    let read = "";
    for (const byte of text) {
      log.write(byte);
      read += readAll(reader);
    }
    assert.equal(read, "a\n+b\n");
    reader.close();
  });

  it("bytes without end are no record, and what follows them is read in little memory", async (context) => {
    const log = makeLog(await temporaryDirectory(context));
    log.write(`${"\0".repeat(300_000)}rest\n${record(0, "o", "a")}`);
    const reader = opened(join(log.path(0), ".."));
    assert.equal(readAll(reader), "a\n");
    reader.close();
  });

  it("a file that was emptied in its place is read from its beginning", async (context) => {
    const log = makeLog(await temporaryDirectory(context));
    log.write(record(0, "o", "long enough"));
    const reader = opened(join(log.path(0), ".."));
    readAll(reader);
    truncateSync(log.path(0));
    log.write(record(1, "o", "b"));
    assert.equal(readAll(reader), "GAP b\n");
    reader.close();
  });

  it("LIFE-72: files that nobody wrote to since the time that is asked for are not read", async (context) => {
    const log = makeLog(await temporaryDirectory(context));
    log.write(record(0, "o", "old"));
    log.rotate();
    log.write(record(1, "o", "new"));
    utimesSync(log.path(1), 1, 1);
    const reader = LogReader.open(join(log.path(0), ".."), "app", 5000);
    assert.ok(reader);
    assert.equal(readAll(reader), "new\n");
    reader.close();
  });
});
