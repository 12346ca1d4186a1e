import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keystoreOf } from "../../src/api/keystore.ts";
import { makeKey, settingsIn, temporary, trust } from "../helpers/trust.ts";

describe("keystoreOf", () => {
  const path = temporary();
  it("TRUST-3: the user's files come after the machine's, and those after the system's", async () => {
    const settings = settingsIn(path());
    const { systemConfig, localConfig, userConfig } = settings.directories;
    const key = await makeKey();
    for (const directory of [systemConfig, localConfig, userConfig]) {
      const { path: file } = await trust(directory, key);
      const keys = await keystoreOf(settings).keysFor("example.com/web");
      assert.deepEqual(
        keys.map((one) => one.path),
        [file],
      );
    }
  });
});
