import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderTemplate } from "../../src/fetch/template.ts";
import { vectors } from "../helpers/vectors.ts";

interface Case {
  readonly why: string;
  readonly template: string;
  readonly values: Readonly<Record<string, string>>;
  readonly url?: string;
  /** A pattern. */
  readonly problem?: string;
}

describe("renderTemplate (DISC-4, DISC-5, T-D06)", () => {
  for (const { why, template, values, url, problem } of vectors<Case>("discovery/templates")) {
    it(why, () => {
      const rendered = renderTemplate(template, new Map(Object.entries(values)), { insecureHttp: false });
      if ("url" in rendered) assert.equal(rendered.url, url);
      else assert.match(rendered.problem, new RegExp(problem ?? "no problem expected"));
    });
  }

  it("takes http when it was allowed", () => {
    const rendered = renderTemplate("http://h.example/x.{ext}", new Map([["ext", "aci"]]), { insecureHttp: true });
    assert.deepEqual(rendered, { url: "http://h.example/x.aci" });
  });
});
