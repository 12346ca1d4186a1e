/** Images of Docker and OCI run as they are: by every kind of local reference, with their own command or with arguments, in and out of user namespaces. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { directory, file, layer, symlink, writeLayout } from "../helpers/oci-images.ts";
import { Workspace } from "../helpers/program.ts";

const clean = leakSnapshot();
const work = new Workspace();
let digest = "";

const busybox = () => readFileSync("/bin/busybox");
const programs = ["sh", "echo", "cat", "ls", "id", "stat", "env", "test"];

before(() => {
  const base = layer([
    directory("./"),
    directory("bin"),
    { name: "bin/busybox", body: busybox(), mode: 0o755 },
    ...programs.map((name) => symlink(`bin/${name}`, "busybox")),
    directory("etc"),
    file("etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n"),
    file("etc/group", "root:x:0:\nweb:x:44:\nextra:x:55:web\n"),
    directory("srv", { uid: 33, gid: 44 }),
    file("srv/gone"),
    directory("srv/old"),
    file("srv/old/hidden"),
  ]);
  const top = layer([
    directory("srv", { uid: 33, gid: 44, mode: 0o2775 }),
    file("srv/.wh.gone", ""),
    directory("srv/old"),
    file("srv/old/.wh..wh..opq", ""),
    file("srv/old/new"),
  ]);
  const config = {
    Entrypoint: ["/bin/echo", "entry"],
    Cmd: ["command"],
    User: "web",
    WorkingDir: "/srv",
    Env: ["FROM=image"],
  };
  digest = writeLayout(work.path("web"), { layers: [base, top], config, tag: "1.0" });
  writeLayout(work.path("plain"), { layers: [base], config: { Cmd: ["/bin/echo", "plain"] }, tag: "1.0" });
  assert.equal(work.command(["tar", "-cf", work.path("web.tar"), "-C", work.path("web"), "."]).status, 0);
  const saved = ["skopeo", "copy", "--insecure-policy", `oci:${work.path("web")}:1.0`];
  assert.equal(work.command([...saved, `docker-archive:${work.path("saved.tar")}:web:1.0`]).status, 0);
});
after(async () => {
  work.perigee(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

/** Standard output of a run that ended well. */
function run(...args: readonly string[]): string {
  const { status, stdout, stderr } = work.run(["--net=none", ...args]);
  assert.equal(status, 0, stderr);
  return stdout;
}

describe("images of Docker and OCI run", () => {
  for (const kind of ["oci:web:1.0", "oci-archive:web.tar", "docker-archive:saved.tar"]) {
    it(`CLI-85: ${kind}`, () => assert.equal(run(kind), "entry command\n"));
  }
  it("CLI-86, OCI-33: arguments replace the command behind the entrypoint", () => {
    assert.equal(run("oci:web:1.0", "--", "hi", "there"), "entry hi there\n");
    assert.equal(run("oci:plain", "--", "/bin/echo", "hi"), "hi\n");
    assert.equal(run("oci:plain"), "plain\n");
    assert.equal(run("oci:web", "--exec", "/bin/echo", "--", "own"), "own\n");
  });
  const look = [
    ...["oci:web", "--exec", "/bin/sh", "--", "-c"],
    "id; echo $FROM $PWD; ls /srv /srv/old; stat -c '%a %u %g' /srv; test -e /srv/gone || echo gone; echo x > /srv/mine && cat /srv/mine",
  ];
  const seen =
    "uid=33(web) gid=44(web) groups=44(web),55(extra)\nimage /srv\n/srv:\nold\n\n/srv/old:\nnew\n2775 33 44\ngone\nx\n";
  for (const flags of [[], ["--private-users=no"], ["--no-overlay"], ["--private-users=no", "--no-overlay"]]) {
    it(`OCI-10, OCI-34: layers, user and environment are as built: ${flags.join(" ") || "in a user namespace"}`, () => {
      assert.equal(run(...flags, ...look), seen);
    });
  }
  it("by its name, once it is stored", () => {
    assert.equal(run("web:1.0"), "entry command\n");
  });
  it("OCI-50, OCI-51: one that nobody vouches for does not run; one that is pinned does, by its name too", () => {
    const strict = (...args: readonly string[]) => work.perigee(["run", "--net=none", ...args]);
    const refused = strict("oci:plain");
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /SIGNATURE_MISSING[\s\S]*plain@sha256:[0-9a-f]{64}[\s\S]*--insecure-options=image/);
    assert.equal(strict("web").status, 125);
    assert.equal(strict(`oci:web@${digest}`).stdout, "entry command\n");
    assert.equal(strict("web").stdout, "entry command\n");
  });
  it("LAYER-2, LAYER-4: what looks at an image takes it as any other", () => {
    const output = work.path("out.aci");
    assert.equal(work.must(["image", "export", "web", output]).trim(), output);
    assert.match(work.must(["image", "diff", "web", output]), /^- web [\s\S]*\+ web /);
    const list = JSON.parse(work.must(["image", "list", "--format", "json"])) as readonly { readonly size?: number }[];
    assert.ok(list.length >= 2);
  });
  it("a layout whose layer was changed is refused, and the store stays whole", () => {
    const broken = work.path("broken");
    writeLayout(broken, { layers: [layer([file("a")])], config: { Cmd: ["/a"] } });
    const index = JSON.parse(readFileSync(`${broken}/index.json`, "utf8"));
    const manifest = JSON.parse(readFileSync(`${broken}/blobs/${index.manifests[0].digest.replace(":", "/")}`, "utf8"));
    writeFileSync(`${broken}/blobs/${manifest.layers[0].digest.replace(":", "/")}`, "other");
    const { status, stderr } = work.perigee(["--insecure-options=image", "fetch", `oci:${broken}`]);
    assert.equal(status, 5);
    assert.match(stderr, /DIGEST_MISMATCH/);
    assert.equal(work.perigee(["store", "check"]).status, 0);
  });
});
