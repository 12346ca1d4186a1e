/** What a pod leaves on a volume of the host gives nobody there a right (T-R51), and ordinary work with files goes on. */
import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { tableOf, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const image = "example.com/marking";
const volume = work.path("volume");
const busybox = ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path)) ?? "busybox is missing";
before(() => {
  const mountPoints = [{ name: "data", path: "/data" }];
  work.stored(image, { exec: ["/guest"], mountPoints }, {}, (rootfs) => {
    copyFileSync(busybox, join(rootfs, "busybox"));
    chmodSync(join(rootfs, "busybox"), 0o755);
  });
});
after(async () => {
  work.must(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

/** An empty directory of the host, but for a set-user-ID and set-group-ID file that was there before. */
function fresh(): void {
  rmSync(volume, { recursive: true, force: true });
  mkdirSync(volume);
  writeFileSync(join(volume, "written"), "");
  chmodSync(join(volume, "written"), 0o6755);
}

const mounted = (...more: readonly string[]) => [...more, "--volume", `data,kind=host,source=${volume}`, image];

function marked(): readonly string[] {
  return readdirSync(volume).filter((name) => (statSync(join(volume, name)).mode & 0o6000) !== 0);
}

function withCapabilities(): string {
  return work.command([
    "getfattr",
    "-d",
    "-m",
    "security",
    volume,
    ...readdirSync(volume).map((name) => join(volume, name)),
  ]).stdout;
}

/** Everything an image may ask for by itself, and as it is by default. */
const images: readonly (readonly [what: string, app: Readonly<Record<string, unknown>>])[] = [
  ["by default", {}],
  [
    "whose image wants all that it can have",
    {
      isolators: [
        { name: "os/linux/no-new-privileges", value: false },
        {
          name: "os/linux/capabilities-retain-set",
          value: { set: ["CAP_SETFCAP", "CAP_FSETID", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_MKNOD"] },
        },
        {
          name: "os/linux/seccomp-retain-set",
          value: { set: ["@appc.io/all", "chmod", "fchmod", "openat", "openat2"] },
        },
      ],
    },
  ],
];

describe("a writable volume of the host (T-R51, ISO-5, ISO-6)", () => {
  for (const [what, app] of images) {
    for (const mode of ["yes", "no"]) {
      it(`no set-user-ID file and none with capabilities appears there, --private-users=${mode}, ${what}`, () => {
        fresh();
        const name = work.stored("example.com/attacker", {
          exec: ["/guest"],
          mountPoints: [{ name: "data", path: "/data" }],
          ...app,
        });
        const flags = [`--private-users=${mode}`, "--volume", `data,kind=host,source=${volume}`];
        const { status, stdout, stderr } = work.run([...flags, name, "--", "mark", "/data"]);
        assert.equal(status, 0, stderr);
        const { fchmodat2, openat2, ...others } = tableOf(stdout, "mark");
        assert.deepEqual([fchmodat2, openat2], ["ENOSYS", "ENOSYS"]);
        assert.ok(Object.keys(others).length >= 9, stdout);
        assert.deepEqual(new Set(Object.values(others)), new Set(["EPERM"]), stdout);
        assert.deepEqual(marked(), []);
        assert.doesNotMatch(withCapabilities(), /security\.capability/);
      });
    }
  }

  it("ISO-5: without a user namespace a pod that only reads a volume, or has the host's network, is held to the same", () => {
    fresh();
    const reading = ["--private-users=no", "--volume", `data,kind=host,source=${volume},readOnly=true`];
    for (const flags of [reading, ["--private-users=no", "--net=host", "--volume", "data,kind=empty"]]) {
      const { stdout, stderr } = work.run([...flags, image, "--", "mark", "/"]);
      const { fchmod, chmod, capability } = tableOf(stdout, "mark");
      assert.deepEqual([fchmod, chmod, capability], ["EPERM", "EPERM", "EPERM"], stderr);
    }
  });

  it("ISO-9: a set-user-ID file that is there already is warned of, by its name", () => {
    fresh();
    const { stderr } = work.run([...mounted(), "--", "exit", "0"]);
    assert.ok(stderr.includes(`warning: ${volume}/written is set-user-ID`), stderr);
    rmSync(join(volume, "written"));
    assert.equal(work.run([...mounted(), "--", "exit", "0"]).stderr, "");
  });

  it("a neighbour without the volume is held to the same: it reaches the other's files through /proc", () => {
    fresh();
    const wait = [...mounted(), "--name=one", "--", "exit", "0", "---"];
    const other = work.image("example.com/other", { exec: ["/guest"] });
    const { stdout } = work.run([...wait, other, "--name=two", "--", "mark", "/"]);
    assert.deepEqual([tableOf(stdout, "mark")["chmod"], tableOf(stdout, "mark")["capability"]], ["EPERM", "EPERM"]);
  });

  it("ISO-5: an app that may gain privileges starts as ever, and keeps nothing of what installing its filter takes", () => {
    fresh();
    const isolators = [{ name: "os/linux/no-new-privileges", value: false }];
    const app = {
      exec: ["/guest"],
      isolators,
      workingDirectory: "/link",
      mountPoints: [{ name: "data", path: "/data" }],
    };
    const name = work.stored("example.com/gaining", app, { "place/file": "" }, (rootfs) => {
      symlinkSync("/place", join(rootfs, "link"));
    });
    for (const mode of ["yes", "no"]) {
      for (const uid of [0, 1000]) {
        const flags = [`--private-users=${mode}`, "--volume", `data,kind=host,source=${volume}`];
        const verbs = ["privileges", ",", "cwd", ",", "try", "mount", ",", "try", "chroot"];
        const { status, stdout, stderr } = work.run([
          ...flags,
          name,
          `--user=${uid}`,
          `--group=${uid}`,
          "--",
          ...verbs,
        ]);
        assert.equal(status, 0, stderr);
        const sets = tableOf(stdout, "status");
        // The eleven without CAP_FSETID and CAP_SETFCAP.
        const bounding = "00000000000405eb";
        const held = uid === 0 ? bounding : "0".repeat(16);
        assert.deepEqual(
          [sets["CapPrm"], sets["CapEff"], sets["CapBnd"], sets["CapAmb"]],
          [held, held, bounding, "0".repeat(16)],
        );
        assert.deepEqual([sets["NoNewPrivs"], sets["Seccomp"]], ["0", "2"]);
        assert.match(stdout, /^cwd=\/place$/m);
        assert.deepEqual(tableOf(stdout, "try"), { mount: "EPERM", chroot: uid === 0 ? "ok" : "EPERM" });
      }
    }
  });

  it("whoever runs the pod may say otherwise, by the options of the filter", () => {
    for (const flags of [["--seccomp=mode=retain,errno=ENOSYS,@rkt/default-whitelist,chmod"], []]) {
      fresh();
      const insecure = flags.length === 0 ? ["seccomp"] : [];
      const { stdout } = work.run([...mounted(), ...flags, "--", "mark", "/data"], { insecure });
      assert.equal(tableOf(stdout, "mark")["chmod"], "ok", stdout);
      assert.ok(marked().includes("chmod"));
    }
    fresh();
    const { stdout } = work.run([...mounted(), "--caps-retain=CAP_SETFCAP", "--", "mark", "/data"]);
    assert.equal(tableOf(stdout, "mark")["capability"], "ok");
  });

  it("read-only volumes and empty ones change nothing: an app marks the files of its own root", () => {
    fresh();
    for (const kind of [`host,source=${volume},readOnly=true`, "empty"]) {
      const { stdout } = work.run(["--volume", `data,kind=${kind}`, image, "--", "mark", "/"]);
      assert.equal(tableOf(stdout, "mark")["chmod"], "ok", stdout);
    }
    assert.deepEqual(marked(), ["written"]);
  });
});

describe("ordinary work on a volume of the host", () => {
  const shell = (script: string) => work.run([...mounted(), "--exec=/busybox", "--", "sh", "-e", "-c", script]);

  it("chmod, cp -p, tar, mkdir -m, umask, mktemp and mv as always", () => {
    fresh();
    const { status, stdout, stderr } = shell(`
      b=/busybox
      cd /data
      echo text >plain; $b chmod 755 plain; $b cp -p plain copy; $b mkdir -m 1777 shared
      $b mkdir -p tree/deep; echo x >tree/deep/file; $b chmod 600 tree/deep/file; $b ln -s file tree/deep/link
      $b tar -cf tree.tar tree plain; $b rm -r tree; $b tar -xf tree.tar; $b tar -tvf tree.tar >list
      (umask 027; echo x >masked); $b mv plain moved; $b mktemp -p /data >/dev/null
      $b stat -c '%n %a' moved copy shared tree/deep/file masked
    `);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, "moved 755\ncopy 755\nshared 1777\ntree/deep/file 600\nmasked 640\n");
    assert.equal(readFileSync(join(volume, "tree", "deep", "link"), "utf8"), "x\n");
  });

  it("what needs the mark says so, and the rest of an archive is there", () => {
    fresh();
    mkdirSync(join(volume, "from"));
    for (const name of ["plain", "special"]) writeFileSync(join(volume, "from", name), name);
    chmodSync(join(volume, "from", "special"), 0o4755);
    assert.equal(
      work.command(["tar", "-C", volume, "-cf", join(volume, "from.tar"), "from/plain", "from/special"]).status,
      0,
    );
    rmSync(join(volume, "from"), { recursive: true });
    const { status, stderr } = shell("cd /data; /busybox tar -xpf from.tar");
    assert.ok(status !== 0 || /not permitted/.test(stderr), stderr);
    assert.equal(readFileSync(join(volume, "from", "plain"), "utf8"), "plain");
    assert.deepEqual(marked(), ["written"]);
  });
});
