/** Each isolator of the specification in a real pod (ACE-30 to ACE-45): it holds, or is refused or told before the start (ACE-22). */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { endPods, guestWork, guestImage as image } from "../helpers/guest-work.ts";
import { type Outcome, tableOf } from "../helpers/program.ts";

const work = guestWork((at) => endPods(at));
const run = (flags: readonly string[], verbs: readonly string[]): Outcome =>
  work.run([image, ...flags, "--", ...verbs]);

/** A pod of one app, `x`, with these isolators of the pod and of the app. */
function podOf(pod: readonly object[], verbs: readonly string[], app: readonly object[] = []): Outcome {
  const images = JSON.parse(work.must(["image", "list", "--format=json"])) as readonly { id: string; name: string }[];
  const id = images.find(({ name }) => name === image)?.id;
  const own = { exec: ["/guest", ...verbs], user: "0", group: "0", isolators: app };
  const apps = [{ name: "x", image: { id }, app: own }];
  const file = work.path("pod.json");
  writeFileSync(file, JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", apps, isolators: pod }));
  return work.run(["--pod-manifest", file]);
}

describe("system calls", () => {
  it("ACE-30, ACE-32: those of a remove-set answer with its error, the others work", () => {
    const { status, stdout } = run(
      ["--seccomp=mode=remove,errno=ENOLINK,getcwd,uname"],
      ["cwd", ",", "stat", "/guest"],
    );
    assert.equal(status, 0);
    assert.match(stdout, /^cwd=ENOLINK$/m);
    assert.match(stdout, /^path\.\/guest=100755,/m);
  });

  it("ACE-32: without an error they end the app by SIGSYS", () => {
    assert.equal(run(["--seccomp=mode=remove,getcwd"], ["cwd"]).status, 128 + 31);
  });

  it("ACE-30: one without which no app can be started is refused before the start", () => {
    const { status, stderr } = run(["--seccomp=mode=remove,newfstatat"], ["cwd"]);
    assert.equal(status, 125);
    assert.match(stderr, /MANIFEST_INVALID.*newfstatat/);
  });

  it("ACE-31, ACE-34: a wildcard that stands for what programs need runs them; what it does not name is blocked", () => {
    for (const wildcard of ["@docker/default-whitelist", "@rkt/default-whitelist"]) {
      const { status, stdout, stderr } = run([`--seccomp=mode=retain,errno=EXDEV,${wildcard}`], ["try"]);
      assert.equal(status, 0, stderr);
      assert.match(Object.values(tableOf(stdout, "try")).join(" "), /EXDEV/);
    }
  });

  it("ACE-34: wildcards of removal, ours and those of others; one that nobody knows is refused, not passed over", () => {
    for (const wildcard of [
      "@docker/default-blacklist",
      "@rkt/default-blacklist",
      "@systemd/clock",
      "@systemd/mount",
      "@systemd/obsolete",
      "@appc.io/empty",
    ])
      assert.equal(run([`--seccomp=mode=remove,${wildcard}`], ["cwd"]).status, 0, wildcard);
    const { status, stderr } = run(["--seccomp=mode=remove,@example.com/mine"], ["cwd"]);
    assert.equal(status, 125);
    assert.match(stderr, /@example\.com\/mine/);
  });

  it("ACE-34, ACE-35: @appc.io/all is no filter, and none at all is ours", () => {
    assert.doesNotMatch(run(["--seccomp=mode=retain,@appc.io/all"], ["privileges"]).stdout, /Seccomp\W+2$/m);
    assert.match(run([], ["privileges"]).stdout, /Seccomp\W+2$/m);
  });
});

describe("settings of the pod", () => {
  const sysctl = (value: object) => [{ name: "os/unix/sysctl", value }];

  it("ACE-44: hold in the pod and nowhere else", () => {
    const path = "/proc/sys/net/ipv4/ip_default_ttl";
    const before = readFileSync(path, "utf8");
    const wanted = before.trim() === "77" ? "78" : "77";
    const { status, stdout, stderr } = podOf(
      sysctl({ "net.ipv4.ip_default_ttl": wanted, "kernel.shm_rmid_forced": "1" }),
      ["cat", path, ",", "cat", "/proc/sys/kernel/shm_rmid_forced"],
    );
    assert.equal(status, 0, stderr);
    assert.match(stdout, new RegExp(`^${wanted}\n`));
    assert.equal(readFileSync(path, "utf8"), before);
  });

  it("ACE-44: one that is the host's refuses the pod", () => {
    for (const key of ["kernel.core_pattern", "vm.swappiness", "kernel.pid_max"]) {
      const { status, stdout } = podOf(sysctl({ [key]: "1" }), ["echo", "ran"]);
      assert.deepEqual([status, stdout], [125, ""], key);
    }
  });

  it("ACE-22, ACE-44: an app's own are ignored, and told", () => {
    const { status, stderr } = podOf([], ["cwd"], sysctl({ "net.ipv4.ip_default_ttl": "77" }));
    assert.equal(status, 0);
    assert.match(stderr, /sysctl is ignored: only a pod has sysctls/);
  });
});

describe("numbers of the kernel", () => {
  it("ACE-45: oom-score-adj is the app's", () => {
    assert.equal(run(["--oom-score-adj=555"], ["cat", "/proc/self/oom_score_adj"]).stdout, "555\n");
  });

  it("ACE-45: cpu-shares are in its cgroup, or its weight is", () => {
    const texts = ["/sys/fs/cgroup/cpu/cpu.shares", "/sys/fs/cgroup/cpu.weight"].map((file) =>
      run(["--cpu-shares=300"], ["cat", file]).stdout.trim(),
    );
    assert.ok(["300 ", " 12"].includes(texts.join(" ")), texts.join(" "));
  });

  it("ACE-21, ACE-42: the pod's limits bound an app's that are larger, which is told; and hold by themselves", () => {
    const memory = (limit: string) => [{ name: "resource/memory", value: { limit } }];
    const larger = podOf(memory("64Mi"), ["alloc", String(200 << 20)], memory("1Gi"));
    assert.equal(larger.status, 137);
    assert.match(larger.stderr, /memory is modified: .*the pod's/);
    assert.equal(podOf(memory("64Mi"), ["alloc", String(200 << 20)]).status, 137);
    assert.equal(podOf(memory("64Mi"), ["alloc", String(16 << 20)]).status, 0);
  });

  it("ACE-38, ACE-39, ACE-40: sets of capabilities and new privileges are as the flags and manifests say", () => {
    const bounding = (flags: readonly string[]) =>
      /CapBnd\W+([0-9a-f]{16})/.exec(run(flags, ["privileges"]).stdout)?.[1];
    assert.equal(bounding(["--caps-retain=CAP_CHOWN,CAP_KILL"]), "0000000000000021");
    const privileges = podOf([], ["privileges"], [{ name: "os/linux/no-new-privileges", value: false }]);
    assert.match(privileges.stdout, /NoNewPrivs\W+0$/m);
    assert.match(run([], ["privileges"]).stdout, /NoNewPrivs\W+1$/m);
  });
});
