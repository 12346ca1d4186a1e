import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { openKeys } from "../../src/metadata/keys.ts";
import { temporary } from "../helpers/trust.ts";

const path = temporary();
const [one, other] = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
const song = Buffer.from("Old MacDonald Had A Farm");

describe("the keys of pods", () => {
  it("META-4: are the same for whoever opens the secret again, and of one pod each", async () => {
    const [first, second] = [await openKeys(path("secret")), await openKeys(path("secret"))];
    const signature = first.sign(one, song);
    assert.equal(second.sign(one, song), signature);
    assert.notEqual(first.sign(other, song), signature);
    assert.ok(second.verify(one, song, signature));
    assert.equal(statSync(path("secret")).mode & 0o777, 0o600);
    const key = createHmac("sha512", readFileSync(path("secret")))
      .update(`pod\0${one}`)
      .digest();
    assert.equal(createHmac("sha512", key).update(song).digest("base64"), signature, "ACE-63");
  });

  it("ACE-64: verify nothing but what was signed, by the pod that signed it", async () => {
    const keys = await openKeys(path("secret"));
    const signature = keys.sign(one, song);
    assert.ok(!keys.verify(other, song, signature));
    assert.ok(!keys.verify(one, Buffer.from("another"), signature));
    for (const wrong of ["", "AAAA", "not base64", signature.slice(4), `${signature}AAAA`]) {
      assert.ok(!keys.verify(one, song, wrong), wrong);
    }
  });

  it("are refused when the secret is damaged, and it is not replaced", async () => {
    writeFileSync(path("short"), "short");
    mkdirSync(path("directory"));
    for (const name of ["short", "directory"]) {
      await assert.rejects(openKeys(path(name)), (error) => error instanceof Failure && error.code === "WRONG_STATE");
    }
    assert.equal(readFileSync(path("short"), "utf8"), "short");
  });
});
