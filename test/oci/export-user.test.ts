import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { outgoingUser, wantedPaths } from "../../src/oci/export-user.ts";
import { App } from "../../src/schema/app.ts";
import { fails } from "../helpers/failures.ts";

const files = new Map([
  ["etc/passwd", { uid: 0, gid: 0, content: Buffer.from("web:x:33:44::/:\n") }],
  ["etc/group", { uid: 0, gid: 0, content: Buffer.from("web:x:44:\nextra:x:55:web\n") }],
  ["srv/app", { uid: 7, gid: 8, content: undefined }],
]);

function convert(user: string, group: string, supplementaryGIDs: readonly number[] = [], owners = files) {
  const lost: string[] = [];
  const app = App.parse({ exec: [], user, group, supplementaryGIDs });
  return {
    word: outgoingUser(
      app,
      (path) => owners.get(path),
      (what) => lost.push(what),
    ),
    lost,
  };
}

describe("OCI-83: user and groups", () => {
  it("the user alone where the image's files give the same groups", () => {
    assert.deepEqual(convert("web", "44", [55]), { word: "web", lost: [] });
    assert.deepEqual(convert("0", "0"), { word: "0", lost: [] });
  });
  it("else user and group; groups beside them have no word", () => {
    assert.deepEqual(convert("web", "44"), { word: "web:44", lost: [] });
    assert.deepEqual(convert("web", "0", [55]), { word: "web:0", lost: ["supplementaryGIDs: 55"] });
    assert.deepEqual(convert("web", "44", [55], new Map()), { word: "web:44", lost: ["supplementaryGIDs: 55"] });
  });
  it("a path is the owner of that file, and no guess when it is not there", () => {
    assert.equal(convert("/srv/app", "/srv//app").word, "7:8");
    assert.throws(() => convert("/srv/none", "0"), fails("UNSUPPORTED", /srv\/none/));
    assert.throws(() => convert("a:b", "0"), fails("UNSUPPORTED"));
    const app = App.parse({ exec: [], user: "/srv/app", group: "0" });
    assert.deepEqual([...wantedPaths(app).keys()], ["etc/passwd", "etc/group", "srv/app"]);
  });
});
