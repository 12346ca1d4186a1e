import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isPartOf, noteDownload, partialIn } from "../../src/store/partial.ts";
import { encodeSelfChecking } from "../../src/store/records.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const url = "https://example.com/a.aci";

describe("what is noted of a download", () => {
  it("tells how much of which version of which URL is there", async (t) => {
    const directory = await temporaryDirectory(t);
    await noteDownload(directory, url, '"1"');
    assert.equal(partialIn(directory), undefined, "nothing came yet");
    writeFileSync(join(directory, "archive"), "12345");
    assert.deepEqual(partialIn(directory), { size: 5, validator: '"1"' });
    assert.ok(isPartOf(directory, url));
    assert.ok(!isPartOf(directory, `${url}x`));
    await noteDownload(directory, url, undefined);
    assert.equal(partialIn(directory), undefined);
  });

  it("does not count when it is torn, or of before the machine was started", async (t) => {
    const directory = await temporaryDirectory(t);
    writeFileSync(join(directory, "archive"), "12345");
    await noteDownload(directory, url, '"1"');
    const whole = readFileSync(join(directory, "download"));
    writeFileSync(join(directory, "download"), whole.subarray(0, -5));
    assert.equal(partialIn(directory), undefined);
    writeFileSync(join(directory, "download"), encodeSelfChecking({ url, validator: '"1"', boot: "another" }));
    assert.equal(partialIn(directory), undefined);
  });
});
