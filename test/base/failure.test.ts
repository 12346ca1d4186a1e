import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { errnoOf, exitStatus, Failure, failureCodes, printable, redact } from "../../src/base/failure.ts";

describe("exitStatus (CLI-9)", () => {
  const table = [
    ["USAGE", 2],
    ["NOT_FOUND", 3],
    ["KEY_UNTRUSTED", 4],
    ["SIGNATURE_BAD", 5],
    ["LOCKED", 6],
    ["HTTP_FAILED", 7],
    ["INTERRUPTED", 130],
    ["MANIFEST_INVALID", 1],
  ] as const;
  for (const [code, status] of table)
    it(`${code} is ${status}`, () => assert.equal(exitStatus(new Failure(code, "x")), status));

  it("anything else is 1", () => assert.equal(exitStatus(new TypeError("x")), 1));

  it("every code has a status that is documented", () => {
    for (const [code, status] of failureCodes()) assert.ok([1, 2, 3, 4, 5, 6, 7, 130].includes(status), code);
  });
});

describe("Failure", () => {
  it("T-D04: carries no credentials in message, subject and hint", () => {
    const url = "https://user:secret@example.com/x?token=abc";
    const failure = new Failure("HTTP_FAILED", `cannot get ${url}`, { subject: url, hint: `curl ${url}` });
    for (const text of [failure.message, failure.subject, failure.hint]) {
      assert.ok(text !== undefined && !text.includes("secret") && !text.includes("abc"), text);
    }
  });

  it("keeps its cause", () => {
    const cause = new Error("why");
    assert.equal(new Failure("IO_FAILED", "x", { cause }).cause, cause);
    assert.equal("cause" in new Failure("IO_FAILED", "x"), false);
  });
});

describe("redact (T-D04)", () => {
  for (const [text, expected] of [
    ["https://a:b@h/p", "https://***@h/p"],
    ["Authorization: Bearer abc.def", "Authorization: Bearer ***"],
    ["https://h/?X-Amz-Signature=12&x=1", "https://h/?X-Amz-Signature=***&x=1"],
    ["mail a@b.example", "mail a@b.example"],
  ] as const) {
    it(text, () => assert.equal(redact(text), expected));
  }
});

describe("printable (T-R47)", () => {
  for (const [text, expected] of [
    ["plain – naïve", "plain – naïve"],
    ["\u001b[31mred\r\n\u0007", "\\x1b[31mred\\x0d\\x0a\\x07"],
    ["a\u202eb", "a\\u{202e}b"],
    ["\u2028", "\\u{2028}"],
    ["\ud800", "\\u{d800}"],
    ["\u{1f600}", "\u{1f600}"],
  ] as const) {
    it(JSON.stringify(text), () => assert.equal(printable(text), expected));
  }
});

describe("errnoOf", () => {
  it("is the name of a system error, and of nothing else", () => {
    assert.equal(errnoOf(Object.assign(new Error("x"), { code: "ENOENT" })), "ENOENT");
    assert.equal(errnoOf(new Failure("NOT_FOUND", "x")), undefined);
    assert.equal(errnoOf("ENOENT"), undefined);
  });
});

describe("spec/failures.md", () => {
  it("is the table of codes, in its order", () => {
    const text = readFileSync(join(import.meta.dirname, "../../../spec/failures.md"), "utf8");
    const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (\d+) \| \S/gm)].map(([, code, status]) => [
      code,
      Number(status),
    ]);
    assert.deepEqual(
      rows,
      failureCodes().map((row) => [...row]),
    );
  });
});
