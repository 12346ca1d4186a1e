import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mapUser } from "../../src/oci/user.ts";

const files: Readonly<Record<string, string>> = {
  "etc/passwd": "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/:/bin/sh\nodd:x:50:99999999999::/:\nbroken\n",
  "etc/group": "root:x:0:\nweb:x:44:\nextra:x:55:db,web\nmore:x:56:web\nsame:x:44:web\n",
};
const read = (path: string) => (files[path] === undefined ? undefined : Buffer.from(files[path]));

describe("OCI-34: a user has the groups that the image's files say", () => {
  const cases: readonly (readonly [string | undefined, object])[] = [
    [undefined, { user: "0", group: "0" }],
    ["", { user: "0", group: "0" }],
    ["web", { user: "web", group: "44", supplementaryGIDs: [55, 56] }],
    ["33", { user: "33", group: "44", supplementaryGIDs: [55, 56] }],
    ["033", { user: "33", group: "44", supplementaryGIDs: [55, 56] }],
    ["1234", { user: "1234", group: "0" }],
    ["nobody", { user: "nobody", group: "0" }],
    ["odd", { user: "odd", group: "0" }],
    ["web:extra", { user: "web", group: "extra" }],
    ["1:007", { user: "1", group: "7" }],
    [":44", { user: "0", group: "44" }],
  ];
  for (const [text, expected] of cases) {
    it(JSON.stringify(text ?? null), () => assert.deepEqual(mapUser(text, read), expected));
  }
  it("without files there are numbers only", () => {
    assert.deepEqual(
      mapUser("web", () => undefined),
      { user: "web", group: "0" },
    );
  });
});
