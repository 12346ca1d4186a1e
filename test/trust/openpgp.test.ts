import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { lenientConfig, loadOpenpgp, makerConfig, type OpenPGP, strictConfig } from "../../src/trust/openpgp.ts";

describe("the library's configuration", () => {
  let openpgp: OpenPGP;
  before(async () => {
    openpgp = await loadOpenpgp();
  });
  it("T-S06: believes no self-signature with MD5, RIPEMD-160 or SHA-1", () => {
    const { md5, ripemd, sha1 } = openpgp.enums.hash;
    assert.deepEqual([...strictConfig(openpgp).rejectHashAlgorithms].sort(), [md5, sha1, ripemd].sort());
  });
  it("T-S09: believes every revocation", () => {
    assert.equal(lenientConfig(openpgp).rejectHashAlgorithms.size, 0);
  });
  it("makes what gpg 2.2 reads: version 4, iterated S2K, AES-256, no AEAD", () => {
    const config = makerConfig(openpgp);
    assert.deepEqual(
      [config.v6Keys, config.aeadProtect, config.s2kType, config.preferredSymmetricAlgorithm],
      [false, false, openpgp.enums.s2k.iterated, openpgp.enums.symmetric.aes256],
    );
  });
  it("leaves the library's own as it was", () => {
    const { sha1 } = openpgp.enums.hash;
    strictConfig(openpgp);
    assert.equal(openpgp.config.rejectHashAlgorithms.has(sha1), false);
  });
});
