/** Pods of ordinary users, with one id and with ranges: the same commands, and what differs (docs/unprivileged.md). */
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { endPods } from "../helpers/guest-work.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { type UserOptions, UserWorkspace } from "../helpers/ordinary-user.ts";
import { program, tableOf, valuesOf } from "../helpers/program.ts";
import { guest } from "../helpers/shim-pod.ts";

const image = "example.com/guest";
const ranges = "alice:3000000:65536\n";

// Its directory is made as soon as a user is.
const clean = leakSnapshot();
after(() => assertNothingLeft(clean));

/** A user with the guest as an image, some files of which belong to others; nothing of it is left at the end. */
function user(options: UserOptions = {}): UserWorkspace {
  const work = new UserWorkspace(options);
  before(() => {
    const app = { exec: ["/guest"], user: "0", group: "0", mountPoints: [{ name: "data", path: "/data" }] };
    const files = {
      "etc/passwd": "root:x:0:0::/:/bin/sh\nweb:x:33:33::/srv:/bin/sh\n",
      "etc/group": "root:x:0:\nweb:x:33:\n",
      "srv/own": "of web",
      "private/inner": "shut",
    };
    work.stored(image, app, files, (rootfs) => {
      for (const path of ["srv", "srv/own", "private"]) chownSync(join(rootfs, path), 33, 33);
      chmodSync(join(rootfs, "private"), 0o700);
    });
  });
  after(async () => {
    endPods(work);
    await work.close();
  });
  return work;
}

for (const [kind, options] of [
  ["one id", {}],
  ["ranges", { subuid: ranges }],
] as const) {
  describe(`an ordinary user with ${kind}`, () => {
    const work = user(options);
    const run = (...args: readonly string[]) => work.run(args);
    const must = (...args: readonly string[]): string => {
      const { status, stdout, stderr } = run(...args);
      assert.equal(status, 0, stderr);
      return stdout;
    };

    it("ISO-20, ISO-21: runs a pod as its root, who is the user", () => {
      const output = must(image, "--", "ids", ",", "namespaces");
      assert.deepEqual(valuesOf(output, "uid"), ["0,0,0"]);
      assert.match(output, new RegExp(`^uidmap\\. +0 +${work.uid} +1$`, "m"));
      assert.equal(/^uidmap\. +1 +3000000 +65536$/m.test(output), kind === "ranges");
    });

    it("networks of plugins and the metadata service are root's, which is said before anything is made", () => {
      for (const flag of ["--net=default", "--mds-register"]) {
        const { status, stderr } = run(flag, image);
        assert.equal(status, 125);
        assert.match(stderr, new RegExp(`^error\\[NOT_ROOT\\]: .*${flag}`));
      }
    });

    it("LIFE-93: a pod in the background: list, status, enter, stop, rm", () => {
      const uuid = must("--detach", "--pod-name=web", image, "--", "wait").trim();
      assert.deepEqual(
        work
          .pods()
          .map(({ uuid: id, state }) => [id, state])
          .filter(([id]) => id === uuid),
        [[uuid, "running"]],
      );
      const entered = work.perigee(["enter", "web", "/guest", "privileges", ",", "ids"]);
      assert.equal(entered.status, 0, entered.stderr);
      assert.deepEqual(valuesOf(entered.stdout, "uid"), ["0,0,0"]);
      assert.equal(
        tableOf(entered.stdout, "status")["CapBnd"],
        tableOf(must(image, "--", "privileges"), "status")["CapBnd"],
      );
      work.must(["stop", "web"]);
      work.must(["rm", uuid]);
      assert.equal(
        work.pods().some(({ uuid: id }) => id === uuid),
        false,
      );
    });

    it("LIFE-80, LIFE-93: a pod is ready when its app says so, also one that is started again", () => {
      const words = ["--", "notify", "READY=1", ",", "wait"];
      const uuid = must("--sdnotify=container", "--detach", image, "--restart=always", ...words).trim();
      assert.match(work.must(["status", uuid]), /^ready=true$/m);
      work.must(["stop", uuid]);
    });

    it("SHIM-46, ACE-8: an app that is started again has a new root each time, whosever files it wrote", () => {
      const words = [
        "list",
        "/",
        "/private",
        ",",
        "write",
        "/mine",
        "x",
        ",",
        "write",
        "/private/mine",
        "x",
        ",",
        "exit",
        "5",
      ];
      const { status, stdout, stderr } = run(image, "--restart=on-failure:2", "--", ...words);
      assert.equal(status, 5, stderr);
      assert.deepEqual(valuesOf(stdout, "write./mine"), ["ok", "ok", "ok"]);
      assert.deepEqual(valuesOf(stdout, "write./private/mine"), ["ok", "ok", "ok"]);
      assert.deepEqual(valuesOf(stdout, "list./private"), ["inner", "inner", "inner"]);
      assert.equal(valuesOf(stdout, "list./").includes("mine"), false, stdout);
      const kept = run(image, "--restart=on-failure:1", "--restart-keep-root", "--", ...words);
      assert.deepEqual(valuesOf(kept.stdout, "list./private").toSorted(), ["inner", "inner", "mine"]);
    });

    it("SHIM-12, SHIM-46: each run has the confinement of the first", () => {
      const words = ["echo", "begin", ",", "all", ",", "try", ",", "echo", "end", ",", "exit", "1"];
      const { stdout } = run(image, "--restart=on-failure:2", "--", ...words);
      const own = /^(?:pid|ppid|sid|fd\.\d+|init-fd\.\d+|status\.NSpid|ns\.mnt|ns\.cgroup)[=:]/;
      const numbers = /(?<=^mount\.)\d+ \d+ \d+:\d+|(?<=dir=\/proc\/self\/fd\/)\d+/g;
      const [first, ...others] = [...stdout.matchAll(/begin\n(.*?)end\n/gs)].map(([, part = ""]) => {
        const lines = part.split("\n").filter((line) => !own.test(line));
        return lines.map((line) => line.replaceAll(numbers, "N")).toSorted();
      });
      assert.ok(first !== undefined && first.length > 100, stdout);
      assert.deepEqual(others, [first, first]);
    });

    it("SHIM-31: what the user sends to the socket of an app from outside of the pod counts for nothing", async () => {
      const running = work.startRun(["--sdnotify=container", image, "--", "notify", "STATUS=mine", ",", "wait"]);
      await running.until(/waiting/);
      const pod = work.pods().find(({ state }) => state === "running");
      const { directory } = JSON.parse(work.must(["status", "--format", "json", String(pod?.uuid)]));
      const [pid] = readFileSync(join(directory, "pids", "guest"), "utf8").split(" ");
      const socket = `NOTIFY_SOCKET=/proc/${pid}/root/dev/notify`;
      const sent = work.command(["env", socket, guest, "notify", "READY=1\nSTATUS=theirs", ",", "sleep", "1"]);
      assert.deepEqual(valuesOf(sent.stdout, "notify"), ["ok"], sent.stderr);
      const lines = work.must(["status", String(pod?.uuid)]).split("\n");
      assert.ok(["ready=false", "app-guest.ready=false", "app-guest.text=mine"].every((line) => lines.includes(line)));
      work.must(["stop", String(pod?.uuid)]);
      await running.ended;
    });

    it("the app's exit status is that of run, and prepare leaves a pod that runs later", () => {
      assert.equal(run(image, "--", "exit", "7").status, 7);
      const uuid = work.must(["--insecure-options=image", "prepare", "--quiet", image, "--", "exit", "3"]).trim();
      assert.equal(work.perigee(["--insecure-options=image", "run-prepared", uuid]).status, 3);
    });

    it("ISO-26: a volume of the host is there with the user's own rights", () => {
      const own = join(work.home, "shared");
      mkdirSync(own, { recursive: true });
      chownSync(own, work.uid, work.uid);
      must(`--volume=data,kind=host,source=${own}`, image, "--", "write", "/data/made", "by the pod");
      assert.equal(statSync(join(own, "made")).uid, work.uid);
      const shut = work.path("shut");
      mkdirSync(shut, { recursive: true, mode: 0o755 });
      assert.match(must(`--volume=data,kind=host,source=${shut}`, image, "--", "write", "/data/made", "x"), /EACCES/);
    });

    it("with the host's network: its cgroups are hidden", () => {
      assert.match(must("--net=host", image, "--", "list", "/sys/fs/cgroup", ",", "echo", "there"), /^there$/m);
      assert.deepEqual(valuesOf(must("--net=host", image, "--", "list", "/sys/fs/cgroup"), "list./sys/fs/cgroup"), []);
    });

    it("image verify: the tree is what the archive says, with these ids", () => {
      const [verdict] = JSON.parse(work.must(["image", "verify", image, "--format", "json"]));
      assert.equal(verdict.tree, "same");
    });

    it("export: the image has the app's changes, and owners as the app saw them", () => {
      const [file, out] = [join(work.home, "kept.uuid"), join(work.home, "kept.aci")];
      const changes = ["write", "/made", "by the app", ",", "write", "/srv/own", "changed"];
      must(`--uuid-file-save=${file}`, image, "--", ...changes);
      work.must(["export", readFileSync(file, "utf8").trim(), out]);
      const listed = work.asRoot(["tar", "--numeric-owner", "-tvzf", out]).stdout;
      const owner = kind === "ranges" ? "33/33" : "0/0";
      assert.match(listed, /^-\S+ 0\/0 .*rootfs\/made$/m);
      assert.match(listed, new RegExp(`^-\\S+ ${owner} .*rootfs/srv/own$`, "m"));
    });

    it("an app's changes go with the pod, whatever it made", () => {
      must("--no-overlay", image, "--", "write", "/made", "x");
      must(image, "--", "write", "/srv/own", "changed");
      work.must(["gc", "--grace-period=0s"]);
      assert.deepEqual(readdirSync(join(work.data, "pods", "exited-garbage")), []);
    });

    it("rm leaves nothing of the image, and gc takes its tree", () => {
      work.must(["--insecure-options=image", "fetch", work.path("example.com-guest.aci")]);
      assert.equal(readdirSync(join(work.data, "store", "trash")).length, 0);
      assert.equal(readdirSync(join(work.data, "store", "staging")).length, 0);
    });
  });
}

describe("a volume of an ordinary user that hears of the host's mounts", () => {
  const directory = join(tmpdir(), `perigee-e2e-${process.pid}-slave`);
  mkdirSync(directory);
  const around = [`mount -t tmpfs top ${directory}`, `mount --make-shared ${directory}`, `mkdir ${directory}/sub`];
  const work = user({ around });
  // Behind what still needs it.
  after(() => rmSync(directory, { recursive: true, force: true }));

  it("SHIM-44, POD-54: slave sees a mount that is made later, and nothing else of the pod does", () => {
    for (const [propagation, expected] of [
      ["slave", ["later"]],
      ["private", []],
    ] as const) {
      const volume = `--volume=data,kind=host,source=${directory},propagation=${propagation}`;
      const uuid = work.run(["--detach", volume, image, "--", "wait"]).stdout.trim();
      const script = `mount -t tmpfs late ${directory}/sub && touch ${directory}/sub/later`;
      const made = work.asRoot(["nsenter", `--target=${supervisorOf(work, uuid)}`, "--mount", "sh", "-c", script]);
      assert.equal(made.status, 0, made.stderr);
      const seen = work.must(["enter", uuid, "/guest", "list", "/data/sub", ",", "mounts"]);
      assert.deepEqual(valuesOf(seen, "list./data/sub"), expected);
      const handedOn = seen.split("\n").filter((line) => / (?:shared|master|propagate_from):/.test(line));
      assert.deepEqual(
        handedOn.filter((line) => !/ \/data(?:\/sub)? /.test(line)),
        [],
      );
      assert.equal(handedOn.length, propagation === "slave" ? 2 : 0, handedOn.join("\n"));
      work.must(["stop", uuid]);
    }
  });
});

/** Its pid: the third of the file that it wrote. */
function supervisorOf(work: UserWorkspace, uuid: string): number {
  return Number(readFileSync(join(work.data, "pods", "run", uuid, "pid"), "utf8").split(" ")[2]);
}

describe("with one id", () => {
  const work = user();

  it("ISO-22: all files are root's, and another user is refused with the way out", () => {
    assert.match(work.run([image, "--", "stat", "/srv/own"]).stdout, /^path\.\/srv\/own=100644,0,0,/m);
    const { status, stderr } = work.run([image, "--user=web", "--", "ids"]);
    assert.equal(status, 125);
    assert.match(stderr, /error\[UNSUPPORTED\]: .*id 33[\s\S]*\/etc\/subuid[\s\S]*usermod --add-subuids/);
    assert.match(
      work.perigee(["--insecure-options=image", "plan", image]).stdout,
      /root of the pod is you.*1 user ids/,
    );
  });

  it("ISO-20: the host's ids are refused", () => {
    const { status, stderr } = work.run(["--private-users=no", image, "--", "ids"]);
    assert.equal(status, 125);
    assert.match(stderr, /NOT_ROOT.*--private-users=no/);
  });

  it("ISO-20: a machine that forbids user namespaces is told before anything is made", () => {
    const bare = new UserWorkspace({
      around: [`mount --bind ${work.path("zero")} /proc/sys/user/max_user_namespaces`],
    });
    writeFileSync(work.path("zero"), "0\n");
    try {
      const { status, stderr } = bare.run([image, "--", "ids"]);
      assert.equal(status, 125);
      assert.match(stderr, /KERNEL_LACKS[\s\S]*max_user_namespaces is 0[\s\S]*sysctl -w/);
      assert.deepEqual(readdirSync(bare.home), []);
    } finally {
      rmSync(bare.directory, { recursive: true });
    }
  });

  it("ISO-23: limits that nobody delegated are told, and refused with --strict", () => {
    const limited = [image, "--memory=64Mi", "--cpu=500m"];
    const { status, stderr } = work.run([...limited, "--", "exit", "0"]);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /resource\/memory is ignored: .*[\s\S]*resource\/cpu is ignored: .*Delegate=yes/);
    const strict = work.run(["--strict", ...limited, "--", "exit", "0"]);
    assert.equal(strict.status, 125);
    assert.match(strict.stderr, /UNSUPPORTED[\s\S]*resource\/memory/);
    assert.equal(work.run(["--strict", image, "--", "exit", "0"]).status, 0);
  });

  it("ISO-24: a fork bomb ends in its pod", () => {
    const bomb = work.run(["--pids-limit=20", image, "--", "fork", "100"]);
    const [count = Number.NaN] = valuesOf(bomb.stdout, "forked").map((line) => Number(line.split(",")[0]));
    assert.ok(count > 5 && count <= 20, bomb.stdout);
    assert.match(bomb.stderr, /perigee\/pids is modified: 20 of each user/);
  });

  it("ISO-28: what the pod could reach of the shim is a copy in memory that nobody changes", () => {
    const uuid = work.run(["--detach", image, "--", "wait"]).stdout.trim();
    const pid = supervisorOf(work, uuid);
    assert.equal(readlinkSync(`/proc/${pid}/exe`), "/memfd:perigee-shim (deleted)");
    assert.throws(() => writeFileSync(`/proc/${pid}/exe`, "x", { flag: "r+" }), /ETXTBSY|EPERM|EACCES/);
    const reached = work.perigee(["enter", uuid, "/guest", "try", "init-exe", "init-root", "ptrace-init"]);
    for (const [name, outcome] of Object.entries(tableOf(reached.stdout, "try"))) assert.notEqual(outcome, "ok", name);
    work.must(["stop", "--force", uuid]);
  });

  it("LIFE-93: the pod ends with its supervisor, and gc takes what is left", async () => {
    const uuid = work.run(["--detach", image, "--", "wait"]).stdout.trim();
    process.kill(supervisorOf(work, uuid), "SIGKILL");
    const state = () => work.pods().find((pod) => pod.uuid === uuid)?.state;
    for (let look = 0; look < 50 && state() === "running"; look += 1) await sleep(100);
    assert.equal(state(), "exited");
    work.must(["gc", "--grace-period=0s"]);
    assert.equal(state(), undefined);
  });

  it("LIFE-90: neither root nor another user does anything in this data directory", () => {
    const seen = () => readdirSync(work.data, { recursive: true }).length;
    const before = seen();
    for (const line of [["list"], ["gc"], ["image", "list"], ["--insecure-options=image", "run", image]]) {
      const { status, stderr } = work.asRoot([program, "--dir", work.data, ...line]);
      assert.ok(status === 6 || status === 125, stderr);
      assert.match(stderr, new RegExp(`WRONG_STATE.*belongs to user ${work.uid}`));
    }
    mkdirSync(work.path("roots"), { recursive: true, mode: 0o777 });
    const roots = work.command([program, "--dir", work.path("roots"), "list"]);
    assert.equal(roots.status, 1);
    assert.match(roots.stderr, /NOT_ROOT.*belongs to user 0/);
    assert.equal(seen(), before);
  });
});

describe("with ranges", () => {
  const work = user({ subuid: ranges });

  it("ISO-21, LIFE-92: files keep their owners, on the disk by ids of the range", () => {
    const tree = join(work.data, "store", "trees");
    const own = join(tree, readdirSync(tree)[0] ?? "", "rootfs", "srv", "own");
    assert.deepEqual([statSync(own).uid, statSync(own).gid], [3000032, 3000032]);
    assert.match(work.run([image, "--", "stat", "/srv/own"]).stdout, /^path\.\/srv\/own=100644,33,33,/m);
    assert.match(
      readFileSync(join(work.data, "store", "ids"), "utf8"),
      /^0 1234 1,1 3000000 65536\n0 1234 1,1 3000000 65536\n$/,
    );
  });

  it("another user of the image runs, with its rights and an empty volume of its own", () => {
    const flags = ["--volume=data,kind=empty,uid=33,gid=33,mode=0700"];
    const { status, stdout, stderr } = work.run([
      ...flags,
      image,
      "--user=web",
      "--group=web",
      "--",
      ...["ids", ",", "cat", "/private/inner", ",", "write", "/data/made", "x", ",", "stat", "/data/made"],
    ]);
    assert.equal(status, 0, stderr);
    assert.deepEqual(valuesOf(stdout, "uid"), ["33,33,33"]);
    assert.match(stdout, /^shut/m);
    assert.match(stdout, /^path\.\/data\/made=100644,33,33,/m);
  });

  it("it writes to its standard output, also by its path, and is entered as itself", () => {
    const flags = [image, "--user=web", "--group=web", "--"];
    assert.match(work.run([...flags, "write", "/dev/stdout", "by its path"]).stdout, /by its path/);
    const uuid = work.run(["--detach", ...flags, "wait"]).stdout.trim();
    assert.deepEqual(valuesOf(work.must(["enter", uuid, "/guest", "ids"]), "uid"), ["33,33,33"]);
    work.must(["stop", uuid]);
  });

  it("ISO-21: without the programs, or the lines, there is one id again, which is said", () => {
    const bare = new UserWorkspace({ subuid: ranges, around: ["mount --bind /dev/null /usr/bin/newuidmap"] });
    try {
      bare.stored(image, { exec: ["/guest"] });
      assert.match(bare.run([image, "--user=33", "--", "ids"]).stderr, /for want of the program newuidmap/);
    } finally {
      rmSync(bare.directory, { recursive: true });
    }
  });

  it("LIFE-91: while the ranges are gone nothing is touched, and then it goes on", () => {
    const count = () => readdirSync(join(work.data, "store", "trees"), { recursive: true }).length;
    const before = count();
    work.account("");
    for (const line of [
      ["image", "list"],
      ["--insecure-options=image", "run", image],
      ["gc", "--grace-period=0s"],
    ]) {
      const { status, stderr } = work.perigee(line);
      assert.ok(status === 6 || status === 125, stderr);
      assert.match(stderr, /WRONG_STATE.*other ids[\s\S]*\/etc\/subuid/);
    }
    assert.equal(count(), before);
    work.account(ranges);
    assert.equal(work.run([image, "--", "exit", "4"]).status, 4);
  });
});
