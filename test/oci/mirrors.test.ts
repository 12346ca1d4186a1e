import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Failure, type FailureCode } from "../../src/base/failure.ts";
import { silentLog } from "../../src/base/log.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { openFirst } from "../../src/oci/mirrors.ts";
import { hostPlatform } from "../../src/oci/platform.ts";
import { parseEndpoint, showEndpoint } from "../../src/oci/registries.ts";
import { fails } from "../helpers/failures.ts";
import { sha256 } from "../helpers/oci-images.ts";

const blob = { mediaType: "", digest: parseDigest(sha256("x"), "x"), size: 6 };

/** @param gives its document and its blob; a code: it fails so */
function place(
  name: string,
  asked: string[],
  gives: { readonly root: string | FailureCode; readonly breaksAt?: number },
) {
  const { root, breaksAt = 6 } = gives;
  return {
    name,
    open: async () => ({
      ...{ imageName: name, tag: undefined, close: async () => {} },
      root: async () => {
        asked.push(`${name} root`);
        if (root === root.toUpperCase()) throw new Failure(root as FailureCode, `${name} fails`);
        return { bytes: Buffer.from(root), mediaType: undefined };
      },
      async *open(_: unknown, __: unknown, from = 0) {
        asked.push(`${name} ${from}`);
        yield Buffer.from("abcdef").subarray(from, Math.max(from, breaksAt));
        if (breaksAt < 6) throw new Failure("HTTP_FAILED", `${name} broke off`);
      },
    }),
  };
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of chunks) text += Buffer.from(chunk).toString();
  return text;
}

describe("OCI-67: mirrors", () => {
  it("the first that answers is asked for the rest, and the next goes on where it breaks off", async () => {
    const asked: string[] = [];
    const heard: string[] = [];
    const log = { ...silentLog, warn: (text: string) => heard.push(text) };
    const source = openFirst(
      [
        place("one", asked, { root: "NOT_FOUND" }),
        place("two", asked, { root: "document", breaksAt: 4 }),
        place("own", asked, { root: "document" }),
      ],
      "registry.test/web",
      "1",
      log,
    );
    assert.equal((await source.root(hostPlatform())).bytes.toString(), "document");
    assert.equal(await textOf(source.open(blob, "blob")), "abcdef");
    assert.deepEqual(asked, ["one root", "two root", "two 0", "own 4"]);
    assert.deepEqual(heard, [
      "the mirror one is passed over: one fails",
      "the mirror two is passed over: two broke off",
    ]);
    assert.deepEqual([source.imageName, source.tag], ["registry.test/web", "1"]);
    await source.close();
  });
  it("the registry's own failure is the one that is told", async () => {
    const source = openFirst(
      [place("one", [], { root: "TLS_FAILED" }), place("own", [], { root: "NOT_AUTHORISED" })],
      "web",
      undefined,
      silentLog,
    );
    await assert.rejects(source.root(hostPlatform()), fails("NOT_AUTHORISED", /own fails/));
  });
  it("what no other place can help with ends the walk", async () => {
    const asked: string[] = [];
    const places = [place("one", asked, { root: "INTERRUPTED" }), place("own", asked, { root: "document" })];
    await assert.rejects(openFirst(places, "web", undefined, silentLog).root(hostPlatform()), fails("INTERRUPTED"));
    assert.deepEqual(asked, ["one root"]);
  });
  it("are HOST[:PORT][/PATH]", () => {
    for (const text of ["a.example.com", "localhost:5000", "a.example.com/b/c", "[::1]:5000"]) {
      const endpoint = parseEndpoint(text);
      assert.ok(endpoint !== undefined, text);
      assert.equal(showEndpoint(endpoint), text);
    }
    for (const text of ["https://a", "a b", "a/../b", "a?b", "", "a@b", "a:99999"]) {
      assert.equal(parseEndpoint(text), undefined, text);
    }
  });
});
