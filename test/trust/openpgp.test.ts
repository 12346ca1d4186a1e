import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import {
  lenientConfig,
  loadOpenpgp,
  makerConfig,
  notLoaded,
  type OpenPGP,
  strictConfig,
} from "../../src/trust/openpgp.ts";

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

describe("notLoaded", () => {
  const failed = (code: string) => Object.assign(new Error(`Cannot find module 'openpgp'`), { code });

  it("T-K04: what Node takes for a missing library is told with all that it may be, and the way out", () => {
    for (const code of ["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"]) {
      const { code: own, message, cause, hint } = notLoaded(failed(code));
      assert.deepEqual([own, message], ["IO_FAILED", "the OpenPGP library cannot be loaded"]);
      assert.match(String(cause), /missing.*EIO.*EMFILE/);
      assert.match(hint ?? "", /ulimit -n/);
    }
  });
  it("T-K04: a process that may open no more files is told so", () => {
    assert.equal(notLoaded(failed("EMFILE")).code, "LIMIT_EXCEEDED");
    assert.equal(notLoaded(failed("ENOSPC")).code, "DISK_FULL");
  });
});
