import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { humanSize } from "../../src/base/sizes.ts";

describe("humanSize", () => {
  for (const [bytes, text] of [
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [1048575, "1.0 MiB"],
    [61 * 1024 * 1024, "61.0 MiB"],
    [1.5 * 1024 ** 5, "1.5 PiB"],
    [5000 * 1024 ** 5, "5000.0 PiB"],
  ] as const) {
    it(text, () => assert.equal(humanSize(bytes), text));
  }
});
