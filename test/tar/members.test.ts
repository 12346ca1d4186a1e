import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WholeBody } from "../../src/tar/bytes.ts";
import type { MemberStream, TarMember } from "../../src/tar/entry.ts";
import { expandMembers } from "../../src/tar/members.ts";
import { readTar } from "../../src/tar/read.ts";
import { chunks, tarBytes } from "../helpers/tar-bytes.ts";

const archive = tarBytes({ bare: true, members: ["a", "b", "c", "d"].map((name) => ({ name, body: `${name}!` })) });

/** Some members are left out, some come twice. */
function repeated(source: MemberStream): MemberStream {
  return expandMembers(source, (member) => {
    const times = { a: 1, b: 0, c: 2 }[String(member.path)] ?? 1;
    return Array.from({ length: times }, () => ({ ...member, body: new WholeBody(Buffer.alloc(0)) }));
  });
}

async function pathsOf(members: MemberStream): Promise<string> {
  const paths: string[] = [];
  for await (const { path } of members) paths.push(String(path));
  return paths.join("");
}

describe("expandMembers", () => {
  for (const size of [7, 512, 100_000]) {
    it(`gives what is made of each, from chunks of ${size} bytes`, async () => {
      assert.equal(await pathsOf(repeated(readTar(chunks(archive, size)))), "accd");
    });
  }
  it("gives at once what is at hand, and the same whether asked so or not", async () => {
    const stream = repeated(readTar(chunks(archive, archive.length)));
    assert.equal(stream.nextNow?.(), undefined, "no chunk was read yet");
    const iterator = stream[Symbol.asyncIterator]();
    const found: (TarMember | undefined)[] = [(await iterator.next()).value];
    found.push(stream.nextNow?.(), (await iterator.next()).value, stream.nextNow?.());
    assert.deepEqual(
      found.map((member) => String(member?.path)),
      ["a", "c", "c", "d"],
    );
    assert.equal(stream.nextNow?.(), undefined);
    assert.equal((await iterator.next()).done, true);
  });
  it("leaving it ends its source", async () => {
    let isEnded = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield archive;
      } finally {
        isEnded = true;
      }
    }
    for await (const _ of repeated(readTar(source()))) break;
    assert.ok(isEnded);
  });
});
