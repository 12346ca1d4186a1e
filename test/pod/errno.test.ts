import assert from "node:assert/strict";
import { constants } from "node:os";
import { describe, it } from "node:test";
import { errnoNumber } from "../../src/pod/errno.ts";

describe("errnoNumber (ACE-32)", () => {
  it("agrees with this machine for every error that Node knows", () => {
    const known = Object.entries(constants.errno);
    assert.ok(known.length > 70);
    for (const [name, number] of known) assert.equal(errnoNumber(name), number, name);
  });

  it("knows the last ones of Linux, and no others", () => {
    const names = ["EPERM", "EHWPOISON", "ENOTSUP", "EDEADLOCK", "E", "EWHAT", "1", ""];
    assert.deepEqual(names.map(errnoNumber), [1, 133, 95, 35, undefined, undefined, undefined, undefined]);
  });
});
