import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { newToken, readRegistration, urlOf, writeRegistration } from "../../src/metadata/registration.ts";
import { temporary } from "../helpers/trust.ts";

const path = temporary();

describe("the registration of a pod", () => {
  it("ACE-60: has a token of 128 bits that nobody guesses", () => {
    const tokens = Array.from({ length: 200 }, newToken);
    for (const token of tokens) assert.match(token, /^[0-9a-f]{32}$/);
    assert.equal(new Set(tokens).size, tokens.length);
    // Every place takes every digit: none of a uuid's fixed ones is in it.
    for (let at = 0; at < 32; at++) assert.ok(new Set(tokens.map((token) => token[at])).size > 8, `place ${at}`);
  });

  it("is read as it was written, by its owner alone", () => {
    const registration = { token: newToken(), port: 18_112, isHost: false };
    writeRegistration(path(), registration);
    assert.deepEqual(readRegistration(path()), registration);
    assert.equal(statSync(path("metadata")).mode & 0o777, 0o600);
    assert.equal(urlOf(registration), `http://127.0.0.1:18112/${registration.token}`);
  });

  for (const text of [
    "",
    "{}",
    "null",
    '{"token":"x","port":1,"isHost":true}',
    `{"token":"${"a".repeat(32)}","isHost":true}`,
  ]) {
    it(`is none: ${text || "an empty file"}`, () => {
      writeFileSync(path("metadata"), text);
      assert.equal(readRegistration(path()), undefined);
    });
  }
});
