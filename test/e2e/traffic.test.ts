/** resource/network-bandwidth in real pods, over two ends of a cable between network namespaces of the test's own (ISO-40 to ISO-42). */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { before, describe, it } from "node:test";
import { readCgroupLayout } from "../../src/pod/cgroup-layout.ts";
import { endPods, guestImage, guestWork } from "../helpers/guest-work.ts";
import { guest, program, valuesOf } from "../helpers/program.ts";

const work = guestWork((at) => endPods(at));
const rate = 100_000;
const limitOf = (limit: number) => ({
  name: "resource/network-bandwidth",
  value: { default: true, limit: String(limit) },
});
before(() => {
  mkdirSync(work.path("sys"));
  work.stored("example.com/limited", { exec: ["/guest"], isolators: [limitOf(rate)] });
});

/** On a machine whose cgroups are all of version 1 nothing can look at packets, and that is said. */
const canLimit = readCgroupLayout().hierarchies.some(({ controllers }) => controllers.includes("network"));

/** A shell script between 10.9.8.1, of device `near`, and 10.9.8.2, where $FAR runs a command. $P is the program. */
function between(script: string) {
  const cable = [
    "set -e; ip link set lo up; unshare --net sleep 300 & far=$!; trap 'kill $far' EXIT",
    'own=$(readlink /proc/self/ns/net); until test "$(readlink /proc/$far/ns/net)" != "$own"; do sleep 0.02; done',
    "ip link add near type veth peer name far netns $far; ip addr add 10.9.8.1/24 dev near; ip link set near up",
    'FAR="nsenter --net=/proc/$far/ns/net"; $FAR ip addr add 10.9.8.2/24 dev far; $FAR ip link set far up; $FAR ip link set lo up',
    'sent() { cat "$SYS/class/net/$1/statistics/tx_bytes"; }',
    script,
  ];
  const env = {
    P: [program, ...work.globals, "--insecure-options=image"].join(" "),
    GUEST: guest,
    SYS: work.path("sys"),
  };
  // What sysfs knows of networks is the network namespace's that it was mounted in.
  const line = ["unshare", "--net", "--mount", "sh", "-c", `mount -t sysfs sysfs "$SYS"; ${cable.join("\n")}`];
  return work.command(line, { env });
}
const number = (text: string, key: string): number => Number(valuesOf(text, key)[0] ?? Number.NaN);

/** What may pass in so many milliseconds: the rate, a tenth of a second ahead, and one datagram that was begun, with its headers. */
const most = (milliseconds: number, bytes = rate): number => ((milliseconds + 100) / 1000) * bytes + 1100;

describe("a pod's network bandwidth (ACE-43)", { skip: canLimit ? false : "no cgroup of version 2" }, () => {
  const send = "send 10.9.8.2 9009 2000 1000";

  it("ISO-40: no more is sent than the limit lets through, whatever the app tries; without one all is", () => {
    const counted = (image: string) =>
      `b=$(sent near); $P run --net=host ${image} -- ${send}; echo tx=$(( $(sent near) - b ))`;
    const limited = between(counted("example.com/limited"));
    const passed = number(limited.stdout, "tx");
    assert.ok(
      passed > 0 && passed <= most(number(limited.stdout, "send.milliseconds")) + 1000,
      limited.stdout + limited.stderr,
    );
    assert.ok(number(between(counted(guestImage)).stdout, "tx") >= 2_000_000);
  });

  it("ISO-40: no more is received", () => {
    // Nothing is sent before somebody listens, who says so in the first line.
    const script = [
      'mkfifo "$SYS.got"; $P run --net=host example.com/limited -- receive 10.9.8.1 9009 6000 >"$SYS.got" &',
      'exec 4<"$SYS.got"; read word <&4; test "$word" = receiving',
      "for i in 1 2 3; do $FAR $GUEST send 10.9.8.1 9009 500 1000 >/dev/null; sleep 0.3; done",
      'cat <&4; rm "$SYS.got"',
    ];
    const { stdout, stderr } = between(script.join("\n"));
    const bytes = number(stdout, "receive.bytes");
    assert.ok(bytes > 0 && bytes <= most(number(stdout, "receive.milliseconds")), stdout + stderr);
  });

  it("ACE-43: loopback has no limit", () => {
    const { stdout, stderr } = between(
      "b=$(sent lo); $P run --net=host example.com/limited -- send 127.0.0.1 9009 2000 1000; echo tx=$(( $(sent lo) - b ))",
    );
    assert.ok(number(stdout, "tx") >= 2_000_000, stdout + stderr);
  });

  it("ACE-21: an app's limit is its own, and the pod's bounds it; enter counts with its app", () => {
    const two = `run --net=host ${guestImage} --name=free -- ${send} , sleep 1 --- example.com/limited --name=held -- sleep 1`;
    const free = between(`b=$(sent near); $P ${two}; echo tx=$(( $(sent near) - b ))`);
    assert.ok(number(free.stdout, "tx") >= 2_000_000, free.stdout + free.stderr);
    const entered = between(
      `u=$($P run --net=host --detach example.com/limited -- wait); b=$(sent near); $P enter $u /guest ${send}; echo tx=$(( $(sent near) - b )); $P stop --force $u`,
    );
    const passed = number(entered.stdout, "tx");
    assert.ok(
      passed > 0 && passed <= most(number(entered.stdout, "send.milliseconds")) + 1000,
      entered.stdout + entered.stderr,
    );
  });

  it("ISO-41: --strict takes it where it is enforced, and a pod with nothing but loopback needs no limit", () => {
    for (const network of ["host", "none"]) {
      const { status, stderr } = work.run([`--net=${network}`, "--strict", "example.com/limited", "--", "cwd"]);
      assert.deepEqual([status, stderr], [0, ""]);
    }
    assert.match(
      work.must(["--insecure-options=image", "plan", "example.com/limited"]),
      /network-bandwidth enforced: there is nothing but loopback/,
    );
  });
});
