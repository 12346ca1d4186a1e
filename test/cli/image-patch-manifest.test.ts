import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { perigee } from "../helpers/command.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const app = {
  exec: ["/bin/a"],
  user: "0",
  group: "0",
  isolators: [{ name: "os/linux/capabilities-retain-set", value: { set: ["CAP_CHOWN"] } }],
  mountPoints: [{ name: "data", path: "/data" }],
};

function actool(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync("actool", args, { encoding: "utf8" });
  assert.equal(status, 0, `actool ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

/** An image of actool's making; its path. */
function build(home: string): string {
  const layout = join(home, "layout");
  mkdirSync(join(layout, "rootfs"), { recursive: true });
  writeFileSync(join(layout, "rootfs", "a"), "content");
  const manifest = { acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/a", app };
  writeFileSync(join(layout, "manifest"), JSON.stringify(manifest));
  actool("build", layout, join(home, "in.aci"));
  return join(home, "in.aci");
}

describe("perigee image patch-manifest", () => {
  const lines: readonly (readonly string[])[] = [
    ["--name=example.com/b"],
    ["--exec=/bin/b --debug"],
    ["--user=5", "--group", "6", "--supplementary-groups=7,8"],
    ["--capability=CAP_NET_ADMIN,CAP_KILL"],
    ["--revoke-capability=CAP_MKNOD"],
    ["--mounts=work,path=/opt,readOnly=true:work2,path=/w"],
    ["--ports=query,protocol=tcp,port=8080,count=1,socketActivated=false"],
    ["--isolators=resource/cpu,request=50m,limit=100m:resource/memory,limit=1G:os/linux/no-new-privileges,true"],
    ["--seccomp-mode=retain,errno=EPERM", "--seccomp-set=read,write"],
    ["--no-compression"],
  ];
  for (const line of lines) {
    it(`makes the manifest that actool makes: ${line.join(" ")}`, async (t) => {
      const home = await temporaryDirectory(t);
      const input = build(home);
      const [theirs, ours] = [join(home, "theirs.aci"), join(home, "ours.aci")];
      actool("patch-manifest", ...line, input, theirs);
      const { status, stdout, stderr } = perigee(join(home, "data"), "image", "patch-manifest", ...line, input, ours);
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^sha512-[0-9a-f]{128}\n$/);
      actool("validate", ours);
      // Actool also writes out defaults that nobody asked for; none of these flags have any.
      assert.deepEqual(JSON.parse(actool("cat-manifest", ours)), JSON.parse(actool("cat-manifest", theirs)));
      assert.equal(readFileSync(ours)[0] === 0x1f, line[0] !== "--no-compression");
    });
  }

  it("replaces a file, and prints what it did as data", async (t) => {
    const home = await temporaryDirectory(t);
    const input = build(home);
    const line = ["image", "patch-manifest", "--replace", "--user", "7", "--format=json", input];
    const { status, stdout } = perigee(join(home, "data"), ...line);
    assert.equal(status, 0);
    const { id, from, name, path, staleSignature } = JSON.parse(stdout);
    assert.notEqual(id, from);
    assert.deepEqual([name, path, staleSignature], ["example.com/a", input, null]);
    assert.equal(JSON.parse(actool("cat-manifest", input)).app.user, "7");
    assert.deepEqual(readdirSync(home).sort(), ["in.aci", "layout"]);
  });

  it("says in one line what is wrong, and leaves nothing half-made", async (t) => {
    const home = await temporaryDirectory(t);
    const input = build(home);
    const before = readFileSync(input);
    const output = join(home, "out.aci");
    for (const [line, status, message] of [
      [["--isolators=foo,x=1", input, output], 2, /--isolators: "foo" cannot be set here/],
      [["--mounts=a", "--replace", "--overwrite", input], 2, /exclude each other/],
      [["--mounts=a", input, output], 1, /the new manifest breaks one rule/],
      [[input], 2, /the image to write is missing/],
      [["--user=1", input, join(home, "out.tar")], 2, /ACI-1/],
      [["--user=1", join(home, "none.aci"), output], 3, /not there/],
      [["--bogus", input, output], 2, /no option --bogus/],
      [["--user=1", join(home, "layout", "manifest"), output], 1, /ARCHIVE_INVALID/],
    ] as const) {
      const result = perigee(join(home, "data"), "image", "patch-manifest", ...line);
      assert.equal(result.status, status, `${line.join(" ")}: ${result.stderr}`);
      assert.match(result.stderr.split("\n")[0] ?? "", message);
    }
    assert.deepEqual(readFileSync(input), before);
    assert.deepEqual(
      readdirSync(home).filter((name) => /^out|tmp/.test(name)),
      [],
    );
  });
});
