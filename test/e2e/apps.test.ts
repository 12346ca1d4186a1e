/** Pods as the specification means them: apps beside each other, their stages, their surroundings (ACE-1 to ACE-23, OS-1 to OS-3). */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { loggedText } from "../helpers/logs.ts";
import { type ListedPod, type Outcome, tableOf, valuesOf, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const guest = "example.com/guest";
const ways: readonly (readonly string[])[] = [[], ["--private-users=no"], ["--net=host"]];
const validator = "coreos.com/ace-validator";
const database = [{ name: "database", path: "/db" }];

before(() => {
  work.stored(guest, { exec: ["/guest"] });
  work.stored(
    `${validator}-main`,
    {
      exec: ["/guest", "validate", "main"],
      workingDirectory: "/opt/acvalidator",
      environment: [{ name: "IN_ACE_VALIDATOR", value: "correct" }],
      mountPoints: database,
      eventHandlers: [
        { name: "pre-start", exec: ["/guest", "validate", "prestart"] },
        { name: "post-stop", exec: ["/guest", "validate", "poststop"] },
      ],
    },
    { "opt/acvalidator/kept": "" },
  );
  work.stored(`${validator}-sidekick`, { exec: ["/guest", "validate", "sidekick"], mountPoints: database });
  writeFileSync(work.path("file"), "of the host");
  mkdirSync(work.path("volume"));
});
after(async () => {
  work.must(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

/** Runs it to a good end; its output. */
function output(args: readonly string[]): string {
  const { status, stdout, stderr } = work.run(args);
  assert.equal(status, 0, stderr + stdout);
  return stdout;
}

/** As `output`; the app listed first has the input, and reads it to its end: that comes when another app has printed this. */
async function inOrder(args: readonly string[], printed: RegExp): Promise<string> {
  const running = work.startRun(args);
  await running.until(printed);
  running.child.stdin?.end();
  assert.equal(await running.ended, 0, running.stderr + running.stdout);
  return running.stdout;
}

const app = (name: string, ...words: readonly string[]): readonly string[] => [guest, "--name", name, "--", ...words];
const pod = (...apps: readonly (readonly string[])[]): readonly string[] =>
  apps.flatMap((words, index) => (index === 0 ? words : ["---", ...words]));

/** What of the guest's output stands between two marks of this name. */
const part = (text: string, name: string): string => new RegExp(`<${name}>\n([^]*?)</${name}>\n`).exec(text)?.[1] ?? "";
const marks = (name: string, ...words: readonly string[]): readonly string[] => [
  ...["echo", `<${name}>`, ",", ...words],
  ...[",", "echo", `</${name}>`],
];
const marked = (name: string, ...words: readonly string[]): readonly string[] => app(name, ...marks(name, ...words));

/** Two apps that say the same kind of thing one after the other cannot mix their lines: each alone has the output. */
async function each(names: readonly [string, string], verb: readonly string[]): Promise<readonly [string, string]> {
  const [first, second] = names;
  const apps = pod(app(second, "cat", ",", ...marks(second, ...verb)), marked(first, ...verb));
  const printed = await inOrder(apps, new RegExp(`^</${first}>$`, "m"));
  return [part(printed, first), part(printed, second)];
}

describe("the checks of the specification's validator", () => {
  for (const way of ways) {
    it(`ACE-9, ACE-19, ACE-20, ACE-23: V1 to V9 and V18 to V21 hold, ${way.join(" ") || "by default"}`, () => {
      for (const run of [1, 2]) {
        const { status, stdout, stderr } = work.run([
          ...way,
          ...["--volume", "database,kind=empty", `${validator}-main`, `${validator}-sidekick`],
        ]);
        assert.deepEqual([status, stderr], [0, ""], `${run}: ${stdout}`);
        const words = stdout.trim().split("\n");
        assert.deepEqual(words.toSorted(), ["main OK", "poststop OK", "prestart OK", "sidekick OK"]);
        const order = ["prestart OK", "main OK", "poststop OK"].map((word) => words.indexOf(word));
        assert.deepEqual(order, order.toSorted());
      }
    });
  }
});

describe("apps of one pod", () => {
  it("POD-1: share pid, net, ipc and uts, with a root of their own each (ACE-2)", async () => {
    const [a, b] = await each(["a", "b"], ["namespaces", ",", "write", "/mine", "x", ",", "list", "/"]);
    const [ofA, ofB] = [tableOf(a, "ns"), tableOf(b, "ns")];
    for (const kind of ["user", "pid", "net", "ipc", "uts", "time"]) assert.equal(ofA[kind], ofB[kind], kind);
    assert.notEqual(ofA["mnt"], ofB["mnt"]);
    for (const text of [a, b]) assert.equal(valuesOf(text, "list./").filter((name) => name === "mine").length, 1);
    const uuids = work.pods().map(({ uuid }) => uuid);
    assert.equal(new Set(uuids).size, uuids.length);
    for (const uuid of uuids)
      assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, "ACE-1");
  });

  it("have each their own user, environment, working directory, root mode, limits and cgroup", async () => {
    const limit = existsSync("/sys/fs/cgroup/memory") ? "memory/memory.limit_in_bytes" : "memory.max";
    const words = ["env", ",", "cwd", ",", "ids", ",", "write", "/x", "x", ",", "cat", `/sys/fs/cgroup/${limit}`];
    const stdout = await inOrder(
      pod(
        [
          ...[guest, "--name=b", "--environment=WHO=b", "--memory=32Mi"],
          ...["--", "cat", ",", ...marks("b", ...words)],
        ],
        [
          ...[guest, "--name=a", "--user=7", "--group=8", "--environment=WHO=a", "--working-dir=/dev", "--memory=64Mi"],
          ...["--readonly-rootfs", "--", ...marks("a", ...words)],
        ],
      ),
      /^<\/a>$/m,
    );
    const [a, b] = [part(stdout, "a"), part(stdout, "b")];
    const facts = (text: string) => [
      tableOf(text, "env")["WHO"],
      tableOf(text, "env")["AC_APP_NAME"],
      ...["cwd", "uid", "gid", "write./x"].flatMap((key) => valuesOf(text, key)),
    ];
    assert.deepEqual(facts(a), ["a", "a", "/dev", "7,7,7", "8,8,8", "EROFS"], "ACE-3, ACE-20, ACE-23");
    assert.deepEqual(facts(b), ["b", "b", "/", "0,0,0", "0,0,0", "ok"]);
    for (const [text, bytes] of [
      [a, 64 * 1024 * 1024],
      [b, 32 * 1024 * 1024],
    ] as const) {
      assert.match(text, new RegExp(`^${bytes}$`, "m"));
    }
  });

  it("ACE-8: each run begins with a clean copy, of an app whose image ran before and of two of one image", () => {
    for (const _ of [1, 2]) {
      const apps = ["a", "b"].map((name) => app(name, "stat", "/left", ",", "write", "/left", "x"));
      assert.deepEqual(valuesOf(output(pod(...apps)), "path./left"), ["ENOENT", "ENOENT"]);
    }
  });

  it("LIFE-16: each has an exit status; the first that fails ends the others and is the pod's", async () => {
    // Of the first the input is the caller's: it fails when the others are as they are to be.
    const running = work.startRun(pod(app("b", "cat", ",", "exit", "6"), app("a", "wait"), app("c", "stubborn", "60")));
    await running.until(/waiting.*waiting/s);
    running.child.stdin?.end();
    assert.equal(await running.ended, 6);
    const apps = work
      .pods()
      .at(-1)
      ?.apps.map(({ name, exitStatus }) => [name, exitStatus]);
    assert.deepEqual(apps, [
      ["b", 6],
      ["a", 40],
      ["c", 137],
    ]);
  });

  it("ACE-18: what they print on both streams is kept for each", () => {
    output(pod(app("a", "echo", "from a"), app("b", "error", "from b")));
    const uuid = String(work.pods().at(-1)?.uuid);
    const { directory } = JSON.parse(work.must(["status", "--format", "json", uuid])) as { directory: string };
    assert.equal(loggedText(join(directory, "logs", "a")), "from a\n");
    assert.equal(loggedText(join(directory, "logs", "b")), "from b\n");
  });

  it("ACE-17: have loopback between them", () => {
    const text = output([guest, "--", "cat", "/proc/net/dev"]);
    assert.match(text, /^ *lo:/m);
    assert.match(output([guest, "--", "cat", "/proc/net/fib_trie"]), /127\.0\.0\.1/);
  });
});

describe("volumes of several apps", () => {
  const mount = (volume: string, target: string): readonly string[] => ["--mount", `volume=${volume},target=${target}`];

  it("POD-2, ACE-10: one is where each app wants it; a target that is missing is made, root's, 0755", async () => {
    const apps = [
      ...["--volume", "shared,kind=empty"],
      ...[guest, "--name=b", ...mount("shared", "/another"), "--"],
      ...["cat", ",", "cat", "/another/x", ",", "echo", "", ",", "stat", "/another", "---"],
      ...[guest, "--name=a", ...mount("shared", "/one/place"), "--", "write", "/one/place/x", "hello"],
    ];
    const stdout = await inOrder(apps, /^write\.\/one\/place\/x=ok$/m);
    assert.match(stdout, /^hello/m);
    assert.match(tableOf(stdout, "path")["/another"] ?? "", /^040755,0,0,/);
    assert.match(
      output(["--volume", "v,kind=empty", guest, ...mount("v", "/made/of/parents"), "--", "stat", "/made", "/made/of"]),
      /\/made=040755,0,0,.*\n.*\/made\/of=040755,0,0,/,
    );
  });

  it("ACE-13, ACE-14, ACE-16: nothing is made on the host, and neither a missing source nor a link is followed", () => {
    symlinkSync(work.path("volume"), work.path("link"));
    for (const [source, code] of [
      ["missing", /NOT_FOUND/],
      ["link", /link/],
    ] as const) {
      const volume = `v,kind=host,source=${work.path(source)}`;
      const { status, stderr } = work.run(["--volume", volume, guest, ...mount("v", "/v"), "--", "exit", "0"]);
      assert.equal(status, 125, source);
      assert.match(stderr, code);
    }
    assert.ok(!existsSync(work.path("missing")));
    const volume = `v,kind=host,source=${work.path("link")}`;
    const allowed = ["--allow-symlink-sources", "--volume", volume, guest, ...mount("v", "/v")];
    assert.equal(work.run([...allowed, "--", "exit", "0"]).status, 0);
  });

  it("ACE-15: one may be a single file", () => {
    const volume = `v,kind=host,source=${work.path("file")},readOnly=true`;
    assert.equal(
      output(["--volume", volume, guest, ...mount("v", "/etc/one"), "--", "cat", "/etc/one"]),
      "of the host",
    );
  });
});

describe("what every app finds", () => {
  it("OS-1: the kernel's file systems and devices, in each app of a pod", async () => {
    const devices = ["null", "zero", "full", "random", "urandom", "tty"].map((name) => `/dev/${name}`);
    const places = ["/proc/self", "/sys/kernel", "/dev/pts", "/dev/shm", "/dev/console", "/dev/ptmx", ...devices];
    for (const text of await each(["a", "b"], ["stat", ...places, ",", "mounts"])) {
      const found = tableOf(text, "path");
      for (const place of places) assert.match(found[place] ?? "", /^[01]\d{5},/, place);
      for (const device of devices) assert.match(found[device] ?? "", /^020666,/, device);
      for (const [type, point] of [
        ["proc", "/proc"],
        ["sysfs", "/sys"],
        ["devpts", "/dev/pts"],
        ["tmpfs", "/dev/shm"],
      ]) {
        assert.match(text, new RegExp(` ${point} [^\n]* - ${type} `), point);
      }
    }
  });

  it("OS-2, OS-3: /etc/hosts with localhost, unless the image has one", () => {
    const own = work.stored("example.com/hosts", { exec: ["/guest"] }, { "etc/hosts": "192.0.2.1 mine\n" });
    assert.match(output([guest, "--", "cat", "/etc/hosts"]), /^127\.0\.0\.1\s.*localhost/m);
    assert.equal(output([own, "--", "cat", "/etc/hosts"]), "192.0.2.1 mine\n");
  });
});

describe("event handlers", () => {
  const stored = (name: string, app: Readonly<Record<string, unknown>>): string =>
    work.stored(`example.com/${name}`, { exec: ["/guest", "echo", "app"], ...app });
  const handler = (name: string, ...words: readonly string[]) => ({ name, exec: ["/guest", ...words] });
  const last = (): ListedPod & { readonly directory: string } => {
    const uuid = String(work.pods().at(-1)?.uuid);
    return JSON.parse(work.must(["status", "--format", "json", uuid])) as ListedPod & { directory: string };
  };

  it("SHIM-1: have the confinement of the app to the letter, in every way a pod can be started", () => {
    const all = (name: string) => ["echo", `<${name}>`, ",", "all", ",", "echo", `</${name}>`];
    const image = stored("reporting", {
      exec: ["/guest", ...all("app")],
      eventHandlers: [handler("pre-start", ...all("before")), handler("post-stop", ...all("after"))],
    });
    const own = /^(?:pid|ppid|sid|fd\.\d+|init-fd\.\d+|status\.NSpid)[=:]/;
    const lines = (text: string) => text.split("\n").filter((line) => !own.test(line));
    for (const way of [...ways, ["--private-users=no", "--net=host"]]) {
      for (const flags of [["--user=7"], ["--readonly-rootfs", "--memory=64Mi", "--oom-score-adj=700"]]) {
        const stdout = output([...way, image, ...flags]);
        const expected = lines(part(stdout, "app"));
        assert.ok(expected.length > 60 && expected.includes("status.Seccomp:\t2"), stdout);
        for (const name of ["before", "after"]) assert.deepEqual(lines(part(stdout, name)), expected, way.join(" "));
      }
    }
  });

  it("SHIM-3, SHIM-5: their output is in the app's log; status tells how post-stop ended", () => {
    const image = stored("leaving", {
      eventHandlers: [handler("pre-start", "echo", "before"), handler("post-stop", "error", "after", ",", "exit", "3")],
    });
    const { status, stdout, stderr }: Outcome = work.run([image]);
    assert.deepEqual([status, stdout], [0, "before\napp\n"]);
    assert.equal(stderr, "after\nwarning: leaving: the post-stop handler ended with status 3\n");
    const { uuid, directory, apps } = last();
    assert.equal(loggedText(join(directory, "logs", "leaving")), "before\napp\nafter\n");
    assert.equal(Object(apps[0])["postStopStatus"], 3);
    assert.match(work.must(["status", uuid]), /^app-leaving=0\napp-leaving\.post-stop=3$/m);
  });

  it("SHIM-4: a pre-start that fails is told in the foreground and to who starts it in the background", () => {
    const image = stored("failing", { eventHandlers: [handler("pre-start", "error", "no disk", ",", "exit", "9")] });
    for (const flags of [[], ["--detach"]]) {
      const { status, stdout, stderr } = work.run([...flags, image]);
      assert.deepEqual([status, stdout], [125, ""]);
      assert.match(stderr, /error\[SHIM_FAILED\]: the pre-start handler failed, so the app was not started: failing\n/);
      assert.match(stderr, /cause: \/guest ended with status 9\n/);
    }
  });

  it("SHIM-6: post-stop runs when the pod is stopped", () => {
    const image = stored("stopping", {
      exec: ["/guest", "wait"],
      eventHandlers: [handler("post-stop", "echo", "cleared")],
    });
    const uuid = work.must(["--insecure-options=image", "run", "--detach", image]).trim();
    work.must(["stop", uuid]);
    const { directory, apps } = last();
    assert.equal(Object(apps[0])["postStopStatus"], 0);
    assert.match(loggedText(join(directory, "logs", "stopping")), /cleared\n$/);
  });

  it("T-R19: a handler is looked for in the app's root, whatever its path says", () => {
    writeFileSync(work.path("outside"), "#!/bin/sh\n");
    chmodSync(work.path("outside"), 0o755);
    const exec = [`/../../../../..${work.path("outside")}`];
    const { status, stderr } = work.run([stored("leading", { eventHandlers: [{ name: "pre-start", exec }] })]);
    assert.equal(status, 125);
    assert.match(stderr, /ENOENT: .*No such file or directory/);
  });
});
