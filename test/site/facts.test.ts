import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultImageLimits } from "../../src/image/limits.ts";
import { formatFacts, parseFacts, readContentFacts } from "../../src/site/facts.ts";
import { makeArchive } from "../helpers/images.ts";
import { factsOf } from "../helpers/site.ts";

const manifest = { acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/a", surprise: { x: [1] } };

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

describe("facts (SITE-6)", () => {
  it("are read from an image in one pass, written, and read back with a manifest that was checked", async () => {
    const archive = await makeArchive(Buffer.from(JSON.stringify(manifest)), []);
    const content = await readContentFacts(once(archive), { limits: defaultImageLimits });
    assert.match(content.id, /^sha512-[0-9a-f]{128}$/);
    assert.deepEqual(content.manifest, manifest);
    const facts = parseFacts(formatFacts({ ...content, signatures: [], documents: [] }));
    assert.equal(facts?.manifest.name, "example.com/a");
    assert.match(facts?.manifestText ?? "", /"surprise"/);
  });

  const good = factsOf("example.com/a", "1");
  const raw = { ...good, manifest: JSON.parse(good.manifestText) as unknown };
  it("what is none is as if it were not there", () => {
    assert.ok(parseFacts(JSON.stringify(raw)) !== undefined);
    for (const change of [
      { id: 5 },
      { entries: "3" },
      { largest: [{ path: 1, size: 1 }] },
      { largest: "x" },
      { signatures: [{}] },
      { signatures: [null] },
      { documents: [1] },
      { manifest: { ...manifest, name: "Bad Name" } },
      { manifest: undefined },
    ]) {
      assert.equal(parseFacts(JSON.stringify({ ...raw, ...change })), undefined, JSON.stringify(change));
    }
    for (const text of ["", "{", "null", "[]", "5"]) assert.equal(parseFacts(text), undefined, text);
  });
});
