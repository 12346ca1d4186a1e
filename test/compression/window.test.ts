import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clearWindow, makeRoom, openWindow, repeat, takeWritten, type Window } from "../../src/compression/window.ts";
import { prose } from "../helpers/codecs.ts";

function write(window: Window, bytes: Uint8Array): void {
  makeRoom(window, bytes.length);
  window.bytes.set(bytes, window.at);
  window.at += bytes.length;
}

describe("Window", () => {
  it("takes no memory because a header says so", () => {
    const window = openWindow(2 ** 40);
    write(window, Buffer.from("x"));
    assert.ok(window.bytes.length <= 1024 * 1024);
  });
  it("keeps the history asked for while it moves, and stays of its size", () => {
    const size = 100_000;
    const text = prose(3_000_000);
    const window = openWindow(size);
    for (let at = 0; at < text.length; at += 30_000) {
      write(window, text.subarray(at, at + 30_000));
      assert.ok(takeWritten(window).equals(text.subarray(at, at + 30_000)));
      const history = Math.min(size, at + 30_000);
      const kept = Buffer.from(window.bytes.subarray(window.at - history, window.at));
      assert.ok(kept.equals(text.subarray(at + 30_000 - history, at + 30_000)));
      // The low bits of a place are those of the position in the stream.
      assert.equal(window.at % 4096, (at + 30_000) % 4096);
    }
    assert.ok(window.bytes.length <= 1024 * 1024);
  });
  it("repeats what overlaps itself, and what does not", () => {
    for (const [distance, length, expected] of [
      [1, 5, "abcccccc"],
      [3, 7, "abcabcabca"],
      [3, 2, "abcab"],
    ] as const) {
      const window = openWindow(1000);
      write(window, Buffer.from("abc"));
      repeat(window, distance, length);
      assert.equal(String(takeWritten(window)), expected);
    }
    const window = openWindow(1000);
    write(window, prose(200));
    repeat(window, 150, 100);
    assert.ok(takeWritten(window).equals(Buffer.concat([prose(200), prose(200).subarray(50, 150)])));
  });
  it("forgets", () => {
    const window = openWindow(1000);
    write(window, Buffer.from("abc"));
    takeWritten(window);
    clearWindow(window);
    assert.equal(window.at, 0);
  });
});

describe("openWindow", () => {
  it("uses the memory of a window before, and none of its history", () => {
    const before = openWindow(1000);
    makeRoom(before, 1000);
    before.at = 500;
    const window = openWindow(10, before.bytes);
    makeRoom(window, 1000);
    assert.equal(window.bytes, before.bytes);
    assert.deepEqual([window.at, window.taken, window.size], [0, 0, 10]);
  });
});
