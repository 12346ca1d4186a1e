import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Keystore, openKeystore, type TrustedKey } from "../../src/trust/keystore.ts";
import { beginVerification } from "../../src/trust/verify.ts";
import { armoredSignature, craftPacket, day, makeKey, now, temporary, trust } from "../helpers/trust.ts";

const content = Buffer.from("the bytes of an archive");
const name = "example.com/web";

describe("a verification", () => {
  const path = temporary();

  it("TRUST-31: parses a key once, however many signatures by it there are and also when the verdict is asked for", async () => {
    const signer = await makeKey();
    await trust(path(), signer);
    const [trusted] = await openKeystore({ directories: [path()] }).keysFor(name);
    assert.ok(trusted !== undefined);
    let reads = 0;
    const counted: TrustedKey = {
      ...trusted,
      get armored() {
        reads += 1;
        return trusted.armored;
      },
    };
    const keystore: Keystore = { keysFor: async () => [counted], vouches: async () => "yes" };
    const readsOf = async (work: () => unknown) => {
      const before = reads;
      await work();
      return reads - before;
    };
    const one = await craftPacket(signer, content);
    const two = await craftPacket(signer, content, { created: new Date(now.getTime() - 2 * day) });
    const begin = () => beginVerification(armoredSignature(one, two), { name, keystore, now });
    const fingerprints = await readsOf(begin);
    const check = await begin();
    check.update(content);
    assert.equal(await readsOf(() => check.finish(name)), fingerprints + 1);
    assert.equal(await readsOf(async () => assert.equal((await check.verdict())?.signers.length, 2)), 0);
  });
});
