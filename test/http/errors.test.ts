import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { interrupted, requestFailure, timeout } from "../../src/http/errors.ts";

const url = "https://example.com/x";
const systemError = (code: string) => Object.assign(new Error("low-level text"), { code });

describe("requestFailure", () => {
  for (const [code, expected, words] of [
    ["ECONNREFUSED", "HTTP_FAILED", /refused/],
    ["ECONNRESET", "HTTP_FAILED", /broke off/],
    ["ENOTFOUND", "HTTP_FAILED", /host name/],
    ["HPE_INVALID_CONSTANT", "HTTP_FAILED", /not HTTP/],
    ["SOMETHING_NEW", "HTTP_FAILED", /failed/],
    ["ETIMEDOUT", "TIMED_OUT", /in time/],
    ["CERT_HAS_EXPIRED", "TLS_FAILED", /expired/],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "TLS_FAILED", /another name/],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "TLS_FAILED", /nobody but itself/],
    ["UNSPECIFIED", "TLS_FAILED", /certificate is not accepted/],
    ["CERT_UNTRUSTED", "TLS_FAILED", /CERT_UNTRUSTED/],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "TLS_FAILED", /handshake/],
  ] as const) {
    it(`says ${code} in words, with the URL and what to try`, () => {
      const result = requestFailure(systemError(code), url);
      assert.equal(result.code, expected);
      assert.match(result.message, words);
      assert.ok(result.message.startsWith(`${url}: `));
      assert.equal(result.subject, url);
      assert.ok(result.hint);
    });
  }

  it("hands a Failure on as it is", () => {
    const late = timeout(url, "the server stopped sending");
    assert.equal(requestFailure(late, url), late);
    assert.equal(late.code, "TIMED_OUT");
  });

  it("T-D04: no credentials of a URL reach the text", () => {
    const result = requestFailure(systemError("ECONNRESET"), "https://me:hunter2@example.com/?token=abc");
    assert.doesNotMatch(`${result.message} ${result.subject}`, /hunter2|abc/);
  });

  it("an interruption is told apart", () => {
    assert.ok(interrupted(url) instanceof Failure);
    assert.equal(interrupted(url).code, "INTERRUPTED");
  });
});
