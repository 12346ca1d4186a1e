import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { silentLog } from "../../src/base/log.ts";
import type { HttpResponse } from "../../src/http/client.ts";
import { resumed } from "../../src/oci/resume.ts";
import { fails } from "../helpers/failures.ts";

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
  /** The connection breaks behind the body. */
  readonly isBroken?: boolean;
}

async function read(answers: readonly Answer[], from = 0) {
  const asked: Readonly<Record<string, string>>[] = [];
  const ask = async (headers: Readonly<Record<string, string>>): Promise<HttpResponse> => {
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(headers);
    const { status = 200, headers: said = {}, body = "", isBroken = false } = answer ?? {};
    return {
      ...{ status, url: "", asked: "", isPublic: true, discard: () => {}, bytes: async () => Buffer.alloc(0) },
      header: (name) => said[name],
      body: (async function* () {
        yield Buffer.from(body);
        if (isBroken) throw new Failure("HTTP_FAILED", "broken off");
      })(),
    };
  };
  let text = "";
  const read = async () => {
    for await (const chunk of resumed({ ask, subject: "a blob", from, log: silentLog, pauseMs: 0 })) {
      text += Buffer.from(chunk).toString();
    }
    return text;
  };
  return { read, asked, text: () => text };
}

const rest = (from: number, body: string, isBroken = false): Answer => ({
  ...{ status: 206, body, isBroken },
  headers: { "content-range": `bytes ${from}-9/10` },
});

describe("OCI-68: a blob is gone on with where it was broken off", () => {
  it("with a range, and the tag of what came first", async () => {
    const first = { body: "0123", isBroken: true, headers: { etag: '"tag"' } };
    const { read: all, asked } = await read([first, rest(4, "45", true), rest(6, "6789")]);
    assert.equal(await all(), "0123456789");
    assert.deepEqual(asked, [
      {},
      { Range: "bytes=4-", "If-Range": '"tag"' },
      { Range: "bytes=6-", "If-Range": '"tag"' },
    ]);
  });
  it("a weak tag says nothing", async () => {
    const first = { body: "0123", isBroken: true, headers: { etag: 'W/"tag"' } };
    const { read: all, asked } = await read([first, rest(4, "456789")]);
    await all();
    assert.deepEqual(asked[1], { Range: "bytes=4-" });
  });
  it("from all of it where the server does no ranges", async () => {
    const { read: all } = await read([{ body: "0123", isBroken: true }, { body: "0123456789" }]);
    assert.equal(await all(), "0123456789");
  });
  it("from where the caller is", async () => {
    assert.equal(await (await read([rest(4, "456789")], 4)).read(), "456789");
    assert.equal(await (await read([{ body: "0123456789" }], 4)).read(), "456789");
  });
  it("another part than the one asked for is refused", async () => {
    const { read: all } = await read([{ body: "0123", isBroken: true }, rest(2, "23456789")]);
    await assert.rejects(all(), fails("HTTP_FAILED", /another part/));
  });
  it("five times, and only while each brings something", async () => {
    const endless = await read([{ body: "x", isBroken: true }, ...[1, 2, 3, 4, 5, 6].map((at) => rest(at, "x", true))]);
    await assert.rejects(endless.read(), fails("HTTP_FAILED"));
    assert.equal(endless.asked.length, 6);
    const dry = await read([{ body: "x", isBroken: true }, rest(1, "", true)]);
    await assert.rejects(dry.read(), fails("HTTP_FAILED"));
    assert.equal(dry.asked.length, 2);
  });
});
