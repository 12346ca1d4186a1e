import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TrustedKey } from "../../src/trust/keystore.ts";
import { questionOf, signersIn, type TimedPacket, verdictOf } from "../../src/trust/verdict.ts";
import { day, now } from "../helpers/trust.ts";

const key: TrustedKey = {
  fingerprint: "a".repeat(40),
  path: "/etc/a",
  digest: "d".repeat(128),
  scope: "example.com",
  armored: Buffer.from("a"),
};
const signature = Buffer.from("signature");
const signers = [{ fingerprint: key.fingerprint, keyDigest: key.digest, signedAt: new Date(now.getTime() - day) }];
const at = (milliseconds: number): Date => new Date(now.getTime() + milliseconds);

describe("questionOf (TRUST-28)", () => {
  const asked = questionOf(signature, "example.com/web", [key]);
  for (const [what, question] of [
    ["another signature", questionOf(Buffer.from("other"), "example.com/web", [key])],
    ["another name", questionOf(signature, "example.com/webs", [key])],
    ["no key", questionOf(signature, "example.com/web", [])],
    ["one more key", questionOf(signature, "example.com/web", [key, { ...key, scope: "root", path: "/etc/root" }])],
    ["another file of the key", questionOf(signature, "example.com/web", [{ ...key, digest: "e".repeat(128) }])],
    ["another place of it", questionOf(signature, "example.com/web", [{ ...key, path: "/etc/b" }])],
    ["another scope", questionOf(signature, "example.com/web", [{ ...key, scope: "root" }])],
  ] as const) {
    it(`TRUST-28: ${what} is another question`, () => assert.notEqual(question, asked));
  }
  it("TRUST-28: the same is the same", () =>
    assert.equal(questionOf(Buffer.from("signature"), "example.com/web", [{ ...key }]), asked));
});

describe("verdictOf and signersIn (TRUST-28)", () => {
  const until = (...packets: readonly TimedPacket[]) => verdictOf("q", signers, packets, now).until - now.getTime();

  it("TRUST-28: answers its question from when it was given, for a day at most", () => {
    const verdict = verdictOf("q", signers, [{ created: at(-100 * day) }], now);
    assert.deepEqual(signersIn(verdict, "q", now), signers);
    assert.deepEqual(signersIn(verdict, "q", at(day - 1)), signers);
    assert.equal(signersIn(verdict, "q", at(day)), undefined);
    assert.equal(signersIn(verdict, "q", at(-1)), undefined, "a clock that went back");
    assert.equal(signersIn(verdict, "other", now), undefined);
  });

  it("TRUST-28: ends when anything written in the packets comes", () => {
    const created = at(-day);
    const inAnHour = (day + 3_600_000) / 1000;
    assert.equal(until({ created, signatureExpirationTime: inAnHour }), 3_600_000);
    assert.equal(until({ created, keyExpirationTime: inAnHour }), 3_600_000);
    assert.equal(until({ created }, { created: at(-2 * day), keyExpirationTime: inAnHour }), 3_600_000);
    assert.equal(until({ created, embeddedSignature: { created, signatureExpirationTime: inAnHour } }), 3_600_000);
    assert.equal(until({ created: at(5000) }), 5000, "what is not valid yet");
    assert.equal(until({ created: at(day + 7000) }), 7000, "what is too far in the future");
    assert.equal(until({ created: null }, {}), day);
    assert.equal(until({ created, signatureExpirationTime: 60 }), day, "what has expired is no news");
  });
});
