import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { describe, it } from "node:test";
import { readBody, wholeBody } from "../../src/http/body.ts";
import { fails } from "../helpers/failures.ts";

const url = "https://example.com/x";

async function collect(source: Readable, idleMs: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readBody(source, { url, idleMs })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe("readBody", () => {
  it("hands every byte on", async () => {
    assert.equal(await collect(Readable.from([Buffer.from("ab"), Buffer.from("c")]), 1000), "abc");
  });

  it("T-D08: refuses a body that is shorter or longer than announced", async () => {
    for (const expected of [2, 4]) {
      const body = readBody(Readable.from([Buffer.from("abc")]), { url, idleMs: 1000, expected });
      await body.next();
      await assert.rejects(body.next(), fails("HTTP_FAILED", /3 bytes instead of/));
    }
  });

  it("T-D07: gives up on a source that says nothing, and closes it", async () => {
    const silent = new PassThrough();
    await assert.rejects(collect(silent, 20), fails("TIMED_OUT", /stopped sending/));
    assert.ok(silent.destroyed);
  });

  it("T-D07: gives up on a source that drips: a KiB is due in each period of waiting", async () => {
    const drip = new Readable({
      read() {
        setTimeout(() => this.push("x"), 5);
      },
    });
    await assert.rejects(collect(drip, 60), fails("TIMED_OUT"));
  });

  it("does not count the time its consumer takes", async () => {
    const source = new PassThrough();
    const body = readBody(source, { url, idleMs: 100 });
    source.write("first");
    await body.next();
    // Longer than the period: were it counted, the next chunk would come too late.
    await new Promise((resolve) => setTimeout(resolve, 150));
    source.end("second");
    assert.equal(Buffer.from((await body.next()).value ?? []).toString(), "second");
  });

  it("closes the source when its consumer stops early", async () => {
    const source = Readable.from([Buffer.from("a"), Buffer.from("b")]);
    for await (const _ of readBody(source, { url, idleMs: 1000 })) break;
    assert.ok(source.destroyed);
  });

  it("turns a broken stream into a Failure, and into INTERRUPTED when the caller gave up", async () => {
    const caller = new AbortController();
    const broken = () =>
      new Readable({
        read() {
          this.destroy(Object.assign(new Error("aborted"), { code: "ECONNRESET" }));
        },
      });
    await assert.rejects(collect(broken(), 1000), fails("HTTP_FAILED", /broke off/));
    caller.abort();
    const iterator = readBody(broken(), { url, idleMs: 1000, signal: caller.signal });
    await assert.rejects(iterator.next(), fails("INTERRUPTED"));
  });
});

describe("wholeBody", () => {
  const whole = (source: Readable, limit: number, expected?: number, ms = 1000) =>
    wholeBody(readBody(source, { url, idleMs: 1000 }), { url, limit, ms, expected }, source);

  it("reads up to the limit and not a byte more", async () => {
    assert.equal((await whole(Readable.from([Buffer.alloc(10)]), 10)).length, 10);
    await assert.rejects(whole(Readable.from([Buffer.alloc(6), Buffer.alloc(5)]), 10), fails("LIMIT_EXCEEDED", /10/));
  });

  it("refuses by the declared length before it reads", async () => {
    const source = new PassThrough();
    const closed = once(source, "close");
    await assert.rejects(whole(source, 10, 11), fails("LIMIT_EXCEEDED"));
    await closed;
  });

  it("T-D07: has a deadline for the whole", async () => {
    const steady = new Readable({
      read() {
        setTimeout(() => this.push(Buffer.alloc(2048)), 5);
      },
    });
    await assert.rejects(whole(steady, 1e9, undefined, 60), fails("TIMED_OUT", /too long/));
  });
});
