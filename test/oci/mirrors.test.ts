import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Failure, type FailureCode } from "../../src/base/failure.ts";
import { silentLog } from "../../src/base/log.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { openFirst } from "../../src/oci/mirrors.ts";
import { hostPlatform } from "../../src/oci/platform.ts";
import { parseEndpoint, showEndpoint } from "../../src/oci/registries.ts";
import { fails } from "../helpers/failures.ts";
import { makeParts, sha256 } from "../helpers/oci-images.ts";

const blob = { mediaType: "", digest: parseDigest(sha256("abcdef"), "x"), size: 6 };
const document = makeParts({ layers: [] }).manifest.bytes.toString();
const web = { imageName: "web", tag: undefined, digest: undefined };

/** @param gives its document and its blob; a code: it fails so */
function place(
  name: string,
  asked: string[],
  gives: { readonly root: string | FailureCode; readonly breaksAt?: number; readonly bytes?: string | Buffer },
) {
  const { root, bytes = "abcdef", breaksAt = bytes.length } = gives;
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
        yield Buffer.from(bytes).subarray(from, Math.max(from, breaksAt));
        if (breaksAt < bytes.length) throw new Failure("HTTP_FAILED", `${name} broke off`);
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
        place("two", asked, { root: document, breaksAt: 4 }),
        place("own", asked, { root: document }),
      ],
      { imageName: "registry.test/web", tag: "1", digest: undefined },
      log,
    );
    assert.equal((await source.root(hostPlatform())).bytes.toString(), document);
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
      web,
      silentLog,
    );
    await assert.rejects(source.root(hostPlatform()), fails("NOT_AUTHORISED", /own fails/));
  });
  it("what no other place can help with ends the walk", async () => {
    const asked: string[] = [];
    const places = [place("one", asked, { root: "INTERRUPTED" }), place("own", asked, { root: document })];
    await assert.rejects(openFirst(places, web, silentLog).root(hostPlatform()), fails("INTERRUPTED"));
    assert.deepEqual(asked, ["one root"]);
  });
  const wrong: readonly (readonly [string, string])[] = [
    [
      "that is behind for a pin",
      makeParts({ layers: [], tag: "old", config: { Cmd: ["old"] } }).manifest.bytes.toString(),
    ],
    ["that says an error with success", '{"errors":[{"code":"DENIED"}]}'],
    ["that sends a page", "<html>"],
  ];
  for (const [why, root] of wrong) {
    it(`OCI-95: one ${why} is told and passed over`, async () => {
      const [asked, heard]: [string[], string[]] = [[], []];
      const log = { ...silentLog, warn: (text: string) => heard.push(text) };
      const places = [place("one", asked, { root }), place("own", asked, { root: document })];
      const digest = parseDigest(sha256(document), "x");
      const source = openFirst(places, { ...web, digest }, log);
      assert.equal((await source.root(hostPlatform())).bytes.toString(), document);
      assert.deepEqual(asked, ["one root", "own root"]);
      assert.match(heard.join(), /^the mirror one is passed over: what one has/);
    });
  }
  it("OCI-95: what the registry itself says wrong is judged by who asked", async () => {
    const source = openFirst([place("own", [], { root: '{"errors":[]}' })], web, silentLog);
    assert.equal((await source.root(hostPlatform())).bytes.toString(), '{"errors":[]}');
  });
  for (const bytes of ["abcdeX", "abc", "abcdefg"]) {
    it(`OCI-95: ${bytes} in the place of a short blob is told, and the registry asked for all of it`, async () => {
      const [asked, heard]: [string[], string[]] = [[], []];
      const log = { ...silentLog, warn: (text: string) => heard.push(text) };
      const places = [place("one", asked, { root: document, bytes }), place("own", asked, { root: document })];
      assert.equal(await textOf(openFirst(places, web, log).open(blob, "blob")), "abcdef");
      assert.deepEqual(asked, ["one 0", "own 0"]);
      assert.match(heard.join(), /^the mirror one is passed over: one sent something else than the blob sha256:/);
    });
  }
  it("OCI-95: of a long blob, which is handed on while it comes, the failure names who sent it", async () => {
    const bytes = Buffer.alloc(5 * 1024 * 1024);
    const long = { ...blob, digest: parseDigest(sha256(Buffer.from("other")), "x"), size: bytes.length };
    const asked: string[] = [];
    const places = [
      place("one", asked, { root: document, bytes, breaksAt: 7 }),
      place("two", asked, { root: document, bytes }),
      place("own", asked, { root: document }),
    ];
    const read = textOf(openFirst(places, web, silentLog).open(long, "blob"));
    await assert.rejects(read, fails("DIGEST_MISMATCH", /^one and two sent something else/));
    assert.deepEqual(asked, ["one 0", "two 7"]);
  });
  it("OCI-67: hosts are those of references, whatever the case, and Docker's own has one name", () => {
    assert.deepEqual(parseEndpoint("Mirror.Example.COM:5000/a"), { host: "mirror.example.com:5000", prefix: "a/" });
    assert.deepEqual(parseEndpoint("index.docker.io"), { host: "docker.io", prefix: "" });
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
