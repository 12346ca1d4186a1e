import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { before, describe, it } from "node:test";
import { listTrustedFiles } from "../../src/trust/inventory.ts";
import { failure, type MadeKey, makeKey, temporary, trust } from "../helpers/trust.ts";

describe("every file of a keystore", () => {
  const path = temporary();
  let key: MadeKey;
  before(async () => {
    key = await makeKey();
  });
  const fresh = () => mkdtempSync(path("case-"));

  it("TRUST-3, T-S27: says which counts, which are masks, and what hides the others", async () => {
    const [system, local, user] = [fresh(), fresh(), fresh()];
    const low = await trust(system, key);
    const high = await trust(user, key);
    const root = await trust(system, key, "root");
    const mask = root.path.replace(system, local);
    mkdirSync(dirname(mask), { recursive: true, mode: 0o755 });
    writeFileSync(mask, "", { mode: 0o644 });
    const found = listTrustedFiles([system, local, user]);
    assert.deepEqual(
      found.map((file) => [file.scope, file.path, file.key?.digest, file.isMask, file.hiddenBy]),
      [
        ["root", mask, undefined, true, undefined],
        ["root", root.path, undefined, false, { path: mask, isMask: true }],
        ["example.com", high.path, high.digest, false, undefined],
        ["example.com", low.path, undefined, false, { path: high.path, isMask: false }],
      ],
    );
  });

  it("names what must be put right, and is empty where there is nothing", async () => {
    const directory = fresh();
    assert.deepEqual(listTrustedFiles([directory, path("nowhere")]), []);
    const stored = await trust(directory, key);
    writeFileSync(stored.path, "no key", { mode: 0o644 });
    assert.throws(() => listTrustedFiles([directory]), failure("KEY_INVALID", /not a usable key file/));
    writeFileSync(`${stored.path}.old`, "", { mode: 0o644 });
    assert.throws(() => listTrustedFiles([directory]), failure("KEY_INVALID", /named by their fingerprint/));
  });
});
