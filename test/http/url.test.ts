import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { redirectTarget, requestUrl } from "../../src/http/url.ts";
import { fails } from "../helpers/failures.ts";

const strict = { insecureHttp: false };
const from = new URL("https://example.com/a/b?x=1");

describe("requestUrl", () => {
  it("takes https", () => assert.equal(requestUrl("https://example.com/x", strict).href, "https://example.com/x"));

  it("T-D01: takes http only with --insecure-options=http, which the failure names", () => {
    assert.throws(
      () => requestUrl("http://example.com/", strict),
      fails("HTTP_FAILED", /encrypted/, { hint: /--insecure-options=http/ }),
    );
    assert.equal(requestUrl("http://example.com/", { insecureHttp: true }).protocol, "http:");
  });

  for (const text of ["ftp://example.com/", "file:///etc/passwd", "data:,x", "unix:/run/x", "nonsense", ""]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => requestUrl(text, { insecureHttp: true }), fails("HTTP_FAILED"));
    });
  }

  it("T-D04: refuses credentials and does not repeat them", () => {
    assert.throws(
      () => requestUrl("https://me:hunter2@example.com/", strict),
      (error: unknown) =>
        fails("HTTP_FAILED", /credentials/)(error) && !/hunter2/.test(JSON.stringify([error, `${error}`])),
    );
  });
});

describe("redirectTarget (DISC-8, T-D02)", () => {
  for (const [location, target] of [
    ["https://cdn.example.net/y", "https://cdn.example.net/y"],
    ["/y", "https://example.com/y"],
    ["y", "https://example.com/a/y"],
    ["?z", "https://example.com/a/b?z"],
  ] as const) {
    it(`follows ${location}`, () => assert.equal(redirectTarget(from, location, strict).href, target));
  }

  for (const location of [
    undefined,
    "",
    "http://example.com/y",
    "ftp://example.com/y",
    "file:///etc/passwd",
    "data:text/html,x",
    "unix:/run/docker.sock",
    "//evil.example/y",
    "\\\\evil.example/y",
    "https:\\\\evil.example/y",
    "https://user@example.com/y",
    "https://user:secret@example.com/y",
    "/y#fragment",
    "/y#",
    "https://exa mple.com/",
    "https://[::1/",
    "/a\tb",
  ]) {
    it(`refuses ${JSON.stringify(location)}`, () => {
      assert.throws(() => redirectTarget(from, location, strict), fails("HTTP_FAILED"));
    });
  }
});
