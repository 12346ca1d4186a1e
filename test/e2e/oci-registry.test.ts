/** A real registry on loopback, filled by skopeo: images are fetched and run from it, without TLS only when that is said. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { directory, layer, sha256, symlink, writeLayout } from "../helpers/oci-images.ts";
import { Workspace } from "../helpers/program.ts";
import { push, startRegistry } from "../helpers/registry.ts";

const clean = leakSnapshot();
const work = new Workspace();
let [host, digest] = ["", ""];

before(async () => {
  host = await startRegistry(work, "registry");
  const busybox = { name: "bin/busybox", body: readFileSync("/bin/busybox"), mode: 0o755 };
  const base = layer([directory("./"), directory("bin"), busybox, symlink("bin/echo", "busybox")]);
  digest = writeLayout(work.path("web"), { layers: [base], config: { Cmd: ["/bin/echo", "hello"] }, tag: "1.0" });
  push(work, `${work.path("web")}:1.0`, `${host}/team/web:1.0`);
});
after(async () => {
  work.perigee(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

describe("OCI-60: images of a registry", () => {
  const run = (insecure: string, ...args: readonly string[]) =>
    work.perigee([`--insecure-options=${insecure}`, "run", "--net=none", ...args]);

  it("OCI-61: one without TLS is refused unless that is said", () => {
    const { status, stderr } = run("image", `docker://${host}/team/web:1.0`);
    assert.equal(status, 125);
    assert.match(stderr, /TLS_FAILED|HTTP_FAILED/);
  });
  it("OCI-50: by its tag nobody vouches for it, by its digest it runs, with arguments", () => {
    assert.match(run("http", `docker://${host}/team/web:1.0`).stderr, /SIGNATURE_MISSING/);
    const pinned = run("http", `docker://${host}/team/web@${digest}`, "--", "/bin/echo", "hi");
    assert.deepEqual([pinned.stdout, pinned.status], ["hi\n", 0], pinned.stderr);
  });
  it("what is stored is run without asking the registry again", () => {
    work.must(["--insecure-options=image,http", "fetch", `docker://${host}/team/web:1.0`]);
    const { stdout, stderr } = run("image", `docker://${host}/team/web:1.0`);
    assert.equal(stdout, "hello\n", stderr);
  });
  it("OCI-64: a tag and a digest that are not there are told as that", () => {
    for (const end of [":none", `@${sha256("none")}`]) {
      const { status, stderr } = work.perigee([
        "--insecure-options=image,http",
        "fetch",
        `docker://${host}/team/web${end}`,
      ]);
      assert.equal(status, 3);
      assert.match(stderr, /NOT_FOUND.*is not there/);
    }
  });
});
