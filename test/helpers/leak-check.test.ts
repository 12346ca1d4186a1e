import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmdirSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, describe, it, type TestContext } from "node:test";
import {
  assertNoLeaks,
  differences,
  isOfAnotherTest,
  leakSnapshot,
  parseAbstractSockets,
  parseMounts,
  type Snapshot,
} from "./leak-check.ts";
import { makeTemporary, temporaryDirectory } from "./temporary.ts";

/** Only what this process causes: other work on the machine goes on meanwhile. */
const about = (lines: readonly string[], text: string): readonly string[] =>
  lines.filter((line) => line.includes(text));

function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  const none: ReadonlySet<string> = new Set();
  return {
    mounts: none,
    cgroups: none,
    "network namespaces": none,
    links: none,
    processes: none,
    "temporary files": none,
    "abstract sockets": none,
    "loop devices": none,
    ...changes,
  };
}

describe("the leak check (T-L01)", () => {
  it("finds a process until it has ended", async () => {
    const before = leakSnapshot();
    const child = spawn("sleep", ["8642"], { stdio: "ignore" });
    await once(child, "spawn");
    const found = about(differences(before, leakSnapshot()), "sleep 8642");
    child.kill();
    await once(child, "exit");
    assert.equal(found.length, 1);
    assert.match(found[0] ?? "", /^processes: \+ \d+ \(started \d+\) sleep 8642$/);
    assert.deepEqual(about(differences(before, leakSnapshot()), "sleep 8642"), []);
  });

  describe("of a shim that no test has for its child", () => {
    /** How many lines tell of a program called perigee-shim that works in `cwd` and has no parent of ours. */
    const seen = async (program: string, cwd: string): Promise<number> => {
      const before = leakSnapshot();
      const pid = execFileSync("sh", ["-c", '"$0" 600 >/dev/null 2>&1 & echo $!', program], { cwd }).toString().trim();
      const found = about(differences(before, leakSnapshot()), `+ ${pid} (`).length;
      process.kill(Number(pid), "SIGKILL");
      return found;
    };
    const given = process.env["PERIGEE_SHIM"];
    afterEach(() => {
      if (given === undefined) delete process.env["PERIGEE_SHIM"];
      else process.env["PERIGEE_SHIM"] = given;
    });
    const copied = async (context: TestContext, isOwn: boolean) => {
      const directory = await temporaryDirectory(context);
      const program = join(directory, "perigee-shim");
      copyFileSync("/bin/sleep", program);
      chmodSync(program, 0o755);
      if (isOwn) process.env["PERIGEE_SHIM"] = program;
      return { directory, program };
    };

    it("finds it when it is of this checkout and works in no directory of another test", async (t) => {
      const { directory, program } = await copied(t, true);
      assert.equal(await seen(program, directory), 1);
    });
    it("leaves it to the test whose directory it works in", async (t) => {
      const { directory, program } = await copied(t, true);
      mkdirSync(join(directory, "perigee-e2e-1-x"));
      assert.equal(await seen(program, join(directory, "perigee-e2e-1-x")), 0);
    });
    it("leaves it to another checkout", async (t) => {
      const { directory, program } = await copied(t, false);
      assert.equal(await seen(program, directory), 0);
    });
  });

  it("finds a temporary directory until it is removed", async () => {
    const before = leakSnapshot();
    const temporary = await makeTemporary();
    const name = temporary.path.split("/").at(-1) ?? "";
    const found = about(differences(before, leakSnapshot()), name);
    await temporary.remove();
    assert.deepEqual(found, [`temporary files: + ${name}`]);
    assert.deepEqual(about(differences(before, leakSnapshot()), name), []);
  });

  it("finds an abstract socket until it is closed", async () => {
    const before = leakSnapshot();
    const name = `perigee-leak-check-${process.pid}-socket`;
    const server = createServer().listen(`\0${name}`);
    await once(server, "listening");
    const found = about(differences(before, leakSnapshot()), name);
    server.close();
    await once(server, "close");
    assert.equal(found.length, 1);
    assert.match(found[0] ?? "", /^abstract sockets: \+ @perigee-leak-check-\d+/);
    assert.deepEqual(about(differences(before, leakSnapshot()), name), []);
  });

  it("leaves a mount, a socket and a device of another test to that one, by the process in the name", () => {
    for (const name of ["/tmp/perigee-e2e-1-x/data", "perigee-test-1-manager", "loop0 /tmp/perigee-e2e-1-x/image"])
      assert.ok(isOfAnotherTest(name), name);
    for (const name of [`/tmp/perigee-e2e-${process.pid}-x`, "perigee-shim", "perigee-test-1", "perigee-check-1-x"])
      assert.ok(!isOfAnotherTest(name), name);
  });

  it("finds the place of a build that was checked, unless somebody else is still at it", () => {
    const [ended, going] = [String(spawnSync("true").pid), String(process.ppid)];
    const places = [ended, going, String(process.pid)].map((pid) =>
      mkdtempSync(join(tmpdir(), `perigee-check-${pid}-`)),
    );
    const found = places.map((place) => leakSnapshot()["temporary files"].has(basename(place)));
    for (const place of places) rmdirSync(place);
    assert.deepEqual(found, [true, false, true]);
  });

  it("sees what every machine has", () => {
    const { mounts, links, "network namespaces": namespaces } = leakSnapshot();
    assert.ok([...mounts].some((mount) => mount.split(" ")[1] === "/proc"));
    assert.ok(links.has("lo"));
    assert.ok(namespaces.size >= 1);
  });

  it("tells what is new of every kind, and what of the host's own is gone", () => {
    const before = snapshot({ mounts: new Set(["/ / ext4"]), processes: new Set(["1 init"]), links: new Set(["lo"]) });
    const after = snapshot({
      mounts: new Set(["/ /mnt tmpfs"]),
      cgroups: new Set(["/sys/fs/cgroup/perigee/x"]),
      "network namespaces": new Set(["net:[2]"]),
      links: new Set(["lo", "veth0"]),
      "loop devices": new Set(["loop0 /x"]),
    });
    assert.deepEqual(differences(before, after), [
      "mounts: + / /mnt tmpfs",
      "mounts: - / / ext4",
      "cgroups: + /sys/fs/cgroup/perigee/x",
      "network namespaces: + net:[2]",
      "links: + veth0",
      "loop devices: + loop0 /x",
    ]);
    assert.throws(() => assertNoLeaks(before, after), /left behind:\nmounts: \+ \/ \/mnt tmpfs\n/);
    assertNoLeaks(after, after);
  });
});

describe("parseMounts", () => {
  it("reads mount points with blanks, with and without optional fields", () => {
    const text = [
      "36 35 98:0 / /mnt/a\\040b rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue",
      "37 35 0:4 net:[4026532008] /run/netns/x rw - nsfs nsfs rw",
      "",
    ].join("\n");
    assert.deepEqual(parseMounts(text), [
      { id: "36", root: "/", point: "/mnt/a b", type: "ext3", source: "/dev/root" },
      { id: "37", root: "net:[4026532008]", point: "/run/netns/x", type: "nsfs", source: "nsfs" },
    ]);
  });
});

describe("parseAbstractSockets", () => {
  it("takes names, not paths, nor those the kernel gave", () => {
    const text = [
      "Num       RefCount Protocol Flags    Type St Inode Path",
      "0000000000000000: 00000002 00000000 00010000 0001 01 20001 @ours and more",
      "0000000000000000: 00000002 00000000 00010000 0001 01 20002 /run/socket",
      "0000000000000000: 00000002 00000000 00010000 0001 01 20003 @0001f",
      "0000000000000000: 00000003 00000000 00000000 0001 03 20004",
    ].join("\n");
    assert.deepEqual(parseAbstractSockets(text), ["@ours and more"]);
  });
});
