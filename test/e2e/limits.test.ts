/** Limits and volumes of a pod: what is asked for really holds. */
import assert from "node:assert/strict";
import { chownSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { cgroupFeatures, readCgroupLayout } from "../../src/pod/cgroup-layout.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { tableOf, valuesOf, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const image = "example.com/guest";
before(() => {
  const mountPoints = [{ name: "data", path: "/data" }];
  work.stored(image, { exec: ["/guest"] });
  work.stored("example.com/mounting", { exec: ["/guest"], mountPoints });
  const megabyteASecond = { name: "resource/block-bandwidth", value: { default: true, limit: "1Mi" } };
  work.stored("example.com/slow", { exec: ["/guest"], mountPoints, isolators: [megabyteASecond] });
  const few = { name: "perigee/pids", value: 20 };
  work.stored("example.com/few", { exec: ["/guest"], isolators: [few] });
  mkdirSync(work.path("volume"));
  writeFileSync(work.path("volume", "file"), "of the host");
  chownSync(work.path("volume", "file"), 1000, 1000);
});
after(async () => {
  work.must(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

const megabyte = 1024 * 1024;

describe("memory", () => {
  it("an app that takes more than its limit is killed (137), one that takes less is not", () => {
    const more = work.run([image, "--memory=64Mi", "--", "alloc", String(200 * megabyte)]);
    assert.deepEqual([more.status, more.stdout], [137, ""], more.stderr);
    assert.equal(work.run([image, "--memory=64Mi", "--", "alloc", String(32 * megabyte)]).status, 0);
    assert.equal(work.run([image, "--", "alloc", String(200 * megabyte)]).status, 0);
  });

  it("of one app of two counts for that one", () => {
    const two = (bytes: number) => [
      ...[image, "--name=small", "--memory=64Mi", "--", "alloc", String(bytes), "---"],
      ...[image, "--name=large", "--", "alloc", String(200 * megabyte)],
    ];
    assert.equal(work.run(two(16 * megabyte)).status, 0);
    assert.equal(work.run(two(200 * megabyte)).status, 137);
  });
});

describe("cpu", () => {
  it("an app is throttled at its limit", () => {
    const files = ["/sys/fs/cgroup/cpu/cpu.stat", "/sys/fs/cgroup/cpu.stat"];
    const outcomes = files.map((file) => work.run([image, "--cpu=100m", "--", "cat", file]));
    const [file] = files.filter((_, index) => outcomes[index]?.status === 0);
    assert.ok(file !== undefined);
    // So little that also an app that a busy machine gives next to nothing gets more.
    assert.equal(work.run([image, "--cpu=20m", "--", "throttled", file]).stdout, "throttled\n");
  });
});

describe("processes", () => {
  const forked = (args: readonly string[]) => {
    const { status, stdout, stderr } = work.run([...args, "--", "fork", "60"]);
    assert.equal(status, 0, stderr);
    return valuesOf(stdout, "forked")[0];
  };

  it("ISO-10: an app has those of its isolator, init is not one of them", () => {
    assert.equal(forked(["example.com/few"]), "19,EAGAIN");
    assert.equal(forked([image]), "60,ok");
  });

  it("ISO-8, ACE-21: --pids-limit bounds the pod, and with it every app", () => {
    assert.equal(forked(["--pids-limit=30", image]), "28,EAGAIN");
    assert.equal(forked(["--pids-limit=10", "example.com/few"]), "8,EAGAIN");
    const two = ["--pids-limit=30", "example.com/few", "--name=one", "--", "fork", "60", "---", image];
    const { stdout } = work.run([...two, "--name=two", "--", "fork", "60"]);
    const counts = valuesOf(stdout, "forked").map((found) => Number.parseInt(found, 10));
    assert.equal(counts.length, 2);
    assert.ok(Math.max(...counts) <= 28, stdout);
  });
});

describe("block devices", () => {
  const milliseconds = (name: string, kibibytes: number) => {
    const { status, stdout, stderr } = work.run([name, "--", "direct", "/data/file", String(kibibytes)]);
    assert.equal(status, 0, stderr);
    return { took: Number(valuesOf(stdout, "direct.milliseconds")[0]), stderr };
  };

  it("ISO-11: who writes past the page cache is held to the limit", () => {
    if (cgroupFeatures(readCgroupLayout()).io !== true) {
      assert.match(work.run(["example.com/slow", "--", "cwd"]).stderr, /KERNEL_LACKS.*block-bandwidth/s);
      return;
    }
    const slow = milliseconds("example.com/slow", 3072);
    // Others who use the disk make a write take long now and then; a limit would make every one.
    let free = Infinity;
    for (let tries = 0; tries < 20 && slow.took <= 3 * free; tries++) {
      free = Math.min(free, milliseconds("example.com/mounting", 3072).took);
    }
    assert.ok(slow.took > 1500 && slow.took > 3 * free, `${slow.took} ms against ${free} ms`);
    const isV1 = readCgroupLayout().hierarchies.some(
      ({ version, controllers }) => version === 1 && controllers.includes("io"),
    );
    assert.equal(/block-bandwidth is modified: .*page cache/.test(slow.stderr), isV1);
  });

  it("ISO-13: --strict refuses before anything starts what would be ignored or changed, and plan shows it", () => {
    const isolators = [{ name: "resource/memory", value: { request: "1M" } }];
    work.stored("example.com/asking", { exec: ["/guest"], isolators });
    const { status, stdout, stderr } = work.run(["--strict", "example.com/asking", "--", "echo", "ran"]);
    assert.deepEqual([status, stdout], [125, ""]);
    assert.match(stderr, /memory is ignored: a request without a limit/);
    assert.equal(work.run(["--strict", image, "--", "echo", "ran"]).stdout, "ran\n");
    assert.match(work.must(["--insecure-options=image", "plan", "example.com/asking"]), /resource\/memory ignored/);
  });
});

describe("volumes", () => {
  const source = work.path("volume");

  it("T-R51: of the host are idmapped, nosuid and nodev: ids are the host's there, and there only", () => {
    const verbs = ["stat", "/data/file", ",", "write", "/data/new", "hello", ",", "mounts"];
    for (const mode of ["yes", "no"]) {
      const { status, stdout, stderr } = work.run([
        ...[`--private-users=${mode}`, "--volume", `data,kind=host,source=${source}`],
        ...["example.com/mounting", "--", ...verbs],
      ]);
      assert.equal(status, 0, stderr);
      assert.match(tableOf(stdout, "path")["/data/file"] ?? "", /^100644,1000,1000,/);
      assert.deepEqual(valuesOf(stdout, "write./data/new"), ["ok"]);
      assert.match(stdout, / \/data rw,nosuid,nodev,/);
      assert.equal(readFileSync(work.path("volume", "new"), "utf8"), "hello");
      assert.deepEqual([statSync(work.path("volume", "new")).uid, statSync(work.path("volume", "new")).gid], [0, 0]);
    }
  });

  it("that are read-only cannot be written", () => {
    const volume = `data,kind=host,source=${source},readOnly=true`;
    const { stdout } = work.run([
      "--volume",
      volume,
      "example.com/mounting",
      "--",
      "write",
      "/data/file",
      "x",
      ",",
      "cat",
      "/data/file",
    ]);
    assert.equal(stdout, "write./data/file=EROFS\nof the host");
  });

  it("that are empty belong to whom they name and end with the pod", () => {
    const volume = "data,kind=empty,mode=0750,uid=1000,gid=2000";
    const verbs = ["stat", "/data", ",", "list", "/data", ",", "write", "/data/x", "y"];
    for (let time = 0; time < 2; time += 1) {
      const { stdout } = work.run(["--volume", volume, "example.com/mounting", "--", ...verbs]);
      assert.match(tableOf(stdout, "path")["/data"] ?? "", /^040750,1000,2000,/);
      assert.deepEqual(valuesOf(stdout, "list./data"), []);
      assert.deepEqual(valuesOf(stdout, "write./data/x"), ["ok"]);
    }
  });

  it("are shared by the apps of a pod, a file is mounted on a file", () => {
    const mount = (target: string) => ["--mount", `volume=data,target=${target}`];
    const line = [
      "--volume",
      `data,kind=host,source=${work.path("volume", "file")}`,
      image,
      "--name=one",
      ...mount("/one/file"),
      "--",
      "cat",
    ];
    const second = [image, "--name=two", ...mount("/two"), "--", "cat", "/two"];
    const { status, stdout, stderr } = work.run([...line, "/one/file", "---", ...second]);
    assert.deepEqual([status, stdout], [0, "of the hostof the host"], stderr);
  });

  it("T-R21: whose source is a link are refused, unless that is wanted", () => {
    symlinkSync(source, work.path("link"));
    const run = (flags: readonly string[]) =>
      work.run([
        ...flags,
        "--volume",
        `data,kind=host,source=${work.path("link")}`,
        "example.com/mounting",
        "--",
        "cat",
        "/data/file",
      ]);
    assert.equal(run([]).status, 125);
    assert.match(run([]).stderr, /symbolic link/);
    assert.equal(run(["--allow-symlink-sources"]).stdout, "of the host");
  });

  it("what an app writes into its root does not reach the image or the next pod", () => {
    assert.equal(work.run([image, "--", "write", "/guest-was-here", "x"]).status, 0);
    assert.deepEqual(tableOf(work.run([image, "--", "stat", "/guest-was-here"]).stdout, "path"), {
      "/guest-was-here": "ENOENT",
    });
    assert.equal(lstatSync(work.path("volume")).isDirectory(), true);
  });
});

describe("user namespaces", () => {
  it("T-R07: of 20 pods that run at once do not overlap, nor do their environments", async () => {
    const numbers = Array.from({ length: 20 }, (_, index) => index);
    const words = ["namespaces", ",", "env", ",", "wait", "600"];
    const pods = numbers.map((number) =>
      work.startRun([image, `--environment=SECRET=secret-${number}-`, "--", ...words]),
    );
    await Promise.all(pods.map((pod) => pod.until(/waiting/)));
    const bases = pods.map(({ stdout }) => Number(/^uidmap\.\s*0\s+(\d+)\s+65536$/m.exec(stdout)?.[1]));
    const sorted = [...bases].sort((a, b) => a - b);
    assert.equal(sorted.length, 20);
    sorted.forEach((base, index) => {
      assert.ok(base >= 65536);
      if (index > 0) assert.ok(base - (sorted[index - 1] ?? 0) >= 65536, sorted.join(" "));
    });
    pods.forEach(({ stdout }, own) => {
      assert.deepEqual(stdout.match(/secret-\d+-/g), [`secret-${own}-`]);
    });
    assert.equal(work.pods().filter(({ state }) => state === "running").length, 20);
    for (const pod of pods) pod.child.kill("SIGTERM");
    assert.deepEqual(await Promise.all(pods.map(({ ended }) => ended)), Array(20).fill(40));
  });
});
