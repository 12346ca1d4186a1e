/** Images of layers stored and run by ordinary users, with one id and with ranges: files that the user may not read, owners, whiteouts. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { endPods } from "../helpers/guest-work.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { directory, file, hardlink, layer, symlink, writeLayout } from "../helpers/oci-images.ts";
import { UserWorkspace } from "../helpers/ordinary-user.ts";

const clean = leakSnapshot();
after(() => assertNothingLeft(clean));

const web = { uid: 33, gid: 33 };
const programs = ["sh", "cat", "ls", "stat"];

function writeImage(place: string): void {
  const busybox = { name: "bin/busybox", body: readFileSync("/bin/busybox"), mode: 0o755 };
  const base = layer([
    directory("./"),
    directory("bin"),
    busybox,
    ...programs.map((name) => symlink(`bin/${name}`, "busybox")),
    directory("etc"),
    file("etc/passwd", "root:x:0:0::/:/bin/sh\nweb:x:33:33::/srv:/bin/sh\n"),
    directory("private", { ...web, mode: 0o700 }),
    file("private/inner", "shut", { ...web, mode: 0o600 }),
    file("private/gone", "", web),
    directory("private/old", { ...web, mode: 0o700 }),
    file("private/old/hidden", "", web),
  ]);
  // The directory is not brought: what it is like is what lies below, where its user may not look.
  const top = layer([
    file("private/new", "new", web),
    file("private/.wh.gone", ""),
    file("private/old/.wh..wh..opq", ""),
    hardlink("private/again", "private/inner"),
  ]);
  writeLayout(place, { layers: [base, top], config: { Cmd: ["/bin/ls"] }, tag: "1.0" });
}

const look = [
  "stat -c '%n %a %u %g' /private /private/new /private/again /private/old",
  "ls /private /private/old",
  "cat /private/again /private/inner",
].join("; ");

for (const [kind, subuid, owner] of [
  ["one id", "", 0],
  ["ranges", "alice:3000000:65536\n", 33],
] as const) {
  describe(`an ordinary user with ${kind}`, () => {
    const work = new UserWorkspace({ subuid });
    before(() => writeImage(work.path("web")));
    after(async () => {
      endPods(work);
      await work.close();
    });
    const seen = [
      `/private 700 ${owner} ${owner}`,
      `/private/new 644 ${owner} ${owner}`,
      `/private/again 600 ${owner} ${owner}`,
      `/private/old 700 ${owner} ${owner}`,
      "/private:\nagain\ninner\nnew\nold\n\n/private/old:\nshutshut",
    ].join("\n");
    for (const flags of [[], ["--no-overlay"]]) {
      it(`OCI-12, OCI-14, OCI-15: layers are as built: ${flags.join() || "as an overlay"}`, () => {
        const image = `oci:${work.path("web")}:1.0`;
        const { status, stdout, stderr } = work.run([...flags, image, "--exec", "/bin/sh", "--", "-c", look]);
        assert.equal(status, 0, stderr);
        assert.equal(stdout, seen);
      });
    }
    it("LAYER-5: and the same once more when they are verified; removed, nothing is left", () => {
      assert.match(work.must(["image", "verify", "web:1.0"]), /as they were stored/);
      endPods(work);
      work.must(["image", "rm", "web:1.0"]);
      assert.deepEqual(JSON.parse(work.must(["store", "check", "--format", "json"])).findings, []);
    });
  });
}
