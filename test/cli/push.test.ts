import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { perigee } from "../helpers/command.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("perigee push", () => {
  it("ends with 2 for a wrong line, 3 for an unknown image, 7 for a registry that is not there", async (t) => {
    const { data } = await storedImages(t);
    const push = (...args: readonly string[]) => perigee(data, "push", ...args);
    assert.equal(push("example.com/top").status, 2);
    const wrong = push("example.com/top", "oci:x");
    assert.deepEqual([wrong.status, /try: docker:\/\/HOST\/NAME/.test(wrong.stderr)], [2, true]);
    assert.equal(push("example.com/top", `docker://h.example/a@sha256:${"0".repeat(64)}`).status, 2);
    assert.equal(push("example.com/none", "docker://127.0.0.1:1/a").status, 3);
    // Nothing listens on the first port.
    const { status, stderr, stdout } = push("example.com/base", "docker://127.0.0.1:1/a");
    assert.deepEqual([status, stdout, /HTTP_FAILED/.test(stderr)], [7, "", true]);
  });
});
