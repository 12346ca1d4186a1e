import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { ImageManifest } from "../../src/schema/image-manifest.ts";
import { parseDocument } from "../../src/schema/validate.ts";
import { fails } from "../helpers/failures.ts";

const parse = (text: string) => parseDocument(ImageManifest, Buffer.from(text), "web/manifest");

describe("parseDocument", () => {
  it("gives what the schema makes of it", () => {
    const manifest = parse('{"acKind": "ImageManifest", "acVersion": "0.8.11", "name": "example.com/a"}');
    assert.deepEqual(manifest.labels, []);
  });
  it("ACI-20: text that is no JSON is named with its place", () => {
    assert.throws(() => parse('{\n"a": }'), fails("JSON_INVALID", /^web\/manifest .* line 2 column 6/));
  });
  it("lists every issue with line, column, field and rule", () => {
    const text = '{"acKind": "ImageManifest", "acVersion": "0.8.11",\n "name": "A",\n "labels": [{"name": "x"}]}';
    assert.throws(
      () => parse(text),
      fails("MANIFEST_INVALID", /^web\/manifest breaks 2 rules/, {
        cause: /^2:10 name: TYPE-1: .*\n3:13 labels\[0\]\.value: ACI-26: this field is needed$/,
      }),
    );
  });
  it("names the branch of a union that came furthest", () => {
    const schema = z.union([z.object({ a: z.number() }), z.object({ b: z.string().min(2, "two letters") })]);
    assert.throws(
      () => parseDocument(schema, Buffer.from('{"b": "x"}'), "document"),
      fails("MANIFEST_INVALID", /one rule/, { cause: /^1:7 b: ACI-20: two letters$/ }),
    );
  });
  it("does not drown anybody in issues", () => {
    const list = JSON.stringify(Array.from({ length: 1000 }, () => 1));
    assert.throws(
      () => parseDocument(z.array(z.string()), Buffer.from(list), "document"),
      fails("MANIFEST_INVALID", /1000 rules/, { cause: /\nand 980 more$/ }),
    );
  });
  it("T-R47: foreign keys are shown escaped", () => {
    const schema = z.record(z.string(), z.string());
    assert.throws(
      () => parseDocument(schema, Buffer.from('{"\\u001b]0;x": 1}'), "document"),
      fails("MANIFEST_INVALID", /one rule/, { cause: /\\x1b\]0;x/ }),
    );
  });
});
