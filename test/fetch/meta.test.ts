import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pageLimit, readDiscoveryTags } from "../../src/fetch/meta.ts";
import { fails } from "../helpers/failures.ts";
import { vectors } from "../helpers/vectors.ts";

interface Case {
  readonly why: string;
  readonly html: string;
  readonly images: readonly (readonly [string, string])[];
  readonly keys: readonly (readonly [string, string])[];
}

const tag = (index: number) => `<meta name="ac-discovery" content="example.com https://h.example/${index}.{ext}">`;
const many = (text: (index: number) => string, count: number) =>
  Array.from({ length: count }, (_, i) => text(i)).join("");
const filled = (text: string) => text.repeat(Math.floor(pageLimit / text.length));

describe("readDiscoveryTags (DISC-1, DISC-2, DISC-3)", () => {
  for (const { why, html, images, keys } of vectors<Case>("discovery/pages")) {
    it(why, async () => {
      const tags = await readDiscoveryTags(html);
      const pairs = (list: typeof tags.images) => list.map(({ prefix, url }) => [prefix, url]);
      assert.deepEqual({ images: pairs(tags.images), keys: pairs(tags.keys) }, { images, keys });
    });
  }

  it("T-D06: uses the first hundred tags of a kind", async () => {
    const { images } = await readDiscoveryTags(many(tag, 150));
    assert.equal(images.length, 100);
    assert.equal(images.at(-1)?.url, "https://h.example/99.{ext}");
  });

  it("T-D07: refuses a head of more than 2048 elements", async () => {
    // html and head are two of them.
    assert.equal((await readDiscoveryTags("<meta>".repeat(2045) + tag(1))).images.length, 1);
    await assert.rejects(readDiscoveryTags("<meta>".repeat(2046) + tag(1)), fails("LIMIT_EXCEEDED", /2048/));
  });

  // Each of these takes a parser that follows the standard to its end quadratic time or memory.
  for (const [why, html] of [
    ["unclosed formatting elements", `<template>${many((i) => `<b a=${i}>`, 40_000)}${"<p>".repeat(100_000)}`],
    ["end tags below a deep stack", `<template>${"<i>".repeat(2000)}${"</q>".repeat(200_000)}`],
    ["attributes", `<head><meta ${many((i) => `${i.toString(36)} `, 180_000)}>`],
    ["attributes of repeated html tags", many((i) => `<html ${i.toString(36)}>`, 80_000)],
    ["comments", filled("<!---->")],
    ["text", filled("x")],
    ["open angles", filled("<")],
    ["entities", filled("&notin;")],
  ] as const) {
    it(`T-D07: is not stopped by a page of ${why}`, async () => {
      const tags = await readDiscoveryTags(html).catch(fails("LIMIT_EXCEEDED"));
      assert.ok(tags === true || (typeof tags === "object" && tags.images.length === 0));
    });
  }
});
