/** Pods in networks that real plugins make, on a host of its own network namespace: they reach each other, and nothing is left. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { boxImage, networkWork, serving, shell } from "../helpers/network-work.ts";
import { untilDead } from "../helpers/processes.ts";
import { RecordingPlugins } from "../helpers/recording-plugin.ts";

const scene = networkWork();

/**
 * An address of IPv6 is not used before it was looked for on the link, which takes a second or two; a connection that was begun from another
 * one meanwhile is never answered, and is given up soon.
 */
const patience = ["--retry", "100", "--retry-delay", "1", "--retry-max-time", "60", "--max-time", "5"];
const curl = ["curl", "-sg", "--retry-all-errors", ...patience];

/** Asks until the server answers, since a pod runs before its app listens. */
const fetching = (url: string): string => `for i in $(seq 100); do wget -qO- ${url} && exit 0; sleep 0.2; done; exit 1`;

/** Kills a pod's supervisor and waits until its init is dead, too. */
async function killSupervisor(pod: string): Promise<void> {
  const words = readFileSync(`${scene.work.data}/pods/run/${pod}/pid`, "utf8").split(" ");
  const [init, supervisor] = [Number(words[0]), Number(words[2])];
  process.kill(supervisor, "SIGKILL");
  await untilDead(supervisor, init);
}

/** The kernel takes a network namespace away, with the links in it, some time after the last who was in it has gone. At most a minute. */
async function untilNamespaceIsGone(isGone: () => boolean): Promise<void> {
  for (let look = 0; look < 3000 && !isGone(); look += 1) await sleep(20);
}

describe("--net=default (NET-12)", () => {
  it("pods reach each other and the host reaches them, by IPv4 and IPv6; afterwards nothing is left (NET-20, NET-22)", () => {
    const before = scene.host.state();
    const pod = scene.host.detach(["--net=default", ...shell(serving("hello"))]);
    const { ipv4, ipv6 } = scene.addressesOf(pod);
    for (const address of [ipv4, `[${ipv6}]`]) {
      const { status, stdout, stderr } = scene.host.run(["--net=default", ...shell(fetching(`http://${address}/`))]);
      assert.deepEqual([status, stdout], [0, "hello\n"], stderr);
      assert.equal(scene.host.must([...curl, `http://${address}/`]), "hello\n");
    }
    assert.equal(scene.clear(), before);
  });
  it("ACE-17: lo is up, eth0 has the way out, and the names of the pod are in its files (NET-30)", () => {
    const { stdout } = scene.host.run([
      "--net=default",
      "--hostname=web",
      ...shell("ip addr; ip route; cat /etc/hosts"),
    ]);
    assert.match(stdout, /lo: <LOOPBACK,UP,LOWER_UP>/);
    const address = /inet (10\.\d+\.\d+\.\d+)\/21 .*eth0/.exec(stdout)?.[1];
    assert.match(stdout, /default via 10\.\d+\.0\.1 dev eth0/);
    assert.match(stdout, new RegExp(`^${address}\tweb$`, "m"));
  });
  it("what leaves the network comes from the host's address (NET-15)", () => {
    scene.host.run(["--net=default", ...shell("true")]);
    const rules = scene.host.must(["nft", "list", "ruleset"]);
    assert.match(rules, /ip saddr 10\.\d+\.0\.0\/16 ip daddr != .* masquerade/);
  });
  it("without a user namespace, too; and in a pod that was prepared", () => {
    const { status, stdout } = scene.host.run([
      "--net=default",
      "--private-users=no",
      ...shell("ip -4 addr show eth0"),
    ]);
    assert.deepEqual([status, /inet 10\./.test(stdout)], [0, true]);
    const prepare = [...scene.work.runLine([])].map((word) => (word === "run" ? "prepare" : word));
    const uuid = scene.host.must([...prepare, ...shell("ip -4 addr show eth0")]).trim();
    const line = [...scene.work.runLine([])].map((word) => (word === "run" ? "run-prepared" : word));
    assert.match(scene.host.must([...line, "--net=default", uuid]), /inet 10\./);
  });
  it("NET-14: a range that a route of the host is in is not used, and the choice is kept", () => {
    scene.clear();
    const range = () => JSON.parse(readFileSync(`${scene.work.data}/networks/default.json`, "utf8")).ipv4 as string;
    const first = range();
    scene.host.must(["ip", "route", "add", `${first}/16`, "dev", "up0"]);
    scene.host.run(["--net=default", ...shell("true")]);
    const second = range();
    assert.notEqual(second, first);
    scene.host.must(["ip", "route", "del", `${first}/16`]);
    scene.host.run(["--net=default", ...shell("true")]);
    assert.equal(range(), second);
  });
  it("META-1: the metadata service answers on loopback beside the network", () => {
    const asked =
      'for i in $(seq 100); do wget -qO- "$AC_METADATA_URL/acMetadata/v1/pod/uuid" && exit 0; sleep 0.2; done; exit 1';
    const { status, stdout, stderr } = scene.host.run(["--net=default", "--mds-register", ...shell(asked)]);
    assert.deepEqual([status, /^[0-9a-f-]{36}$/.test(stdout)], [0, true], stderr);
  });
  it("NET-13: default-restricted reaches the host and has no way further", () => {
    const { status, stdout } = scene.host.run(["--net=default-restricted", ...shell("ip route; ip -6 route | cat")]);
    assert.equal(status, 0);
    assert.match(stdout, /10\.\d+\.0\.0\/21 dev eth0/);
    assert.doesNotMatch(stdout, /default/);
  });
});

describe("networks of net.d", () => {
  const lan = (name: string, subnet: string) => ({
    cniVersion: "0.4.0",
    name,
    plugins: [
      {
        type: "bridge",
        bridge: `br-${name}`,
        isGateway: true,
        ipMasq: true,
        ipam: { type: "host-local", subnet, dataDir: scene.work.path("leases") },
      },
      { type: "firewall" },
      { type: "tuning", sysctl: { "net.core.somaxconn": "321" } },
    ],
  });
  it("NET-10: several at once are eth0, eth1, with arguments", () => {
    scene.define("lan.conflist", lan("lan", "10.61.0.0/24"));
    const { status, stdout, stderr } = scene.host.run([
      "--net=default",
      "--net=lan:IP=10.61.0.77",
      ...shell("ip -4 addr; cat /proc/sys/net/core/somaxconn"),
    ]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /inet 10\.\d+\.\d+\.\d+\/21 .* eth0/);
    assert.match(stdout, /inet 10\.61\.0\.77\/24 .* eth1/);
    assert.match(stdout, /^321$/m);
  });
  it("the end of the pod takes its rules and leases away; gc the chains that nobody uses (NET-22)", () => {
    scene.host.run(["--net=lan", ...shell("true")]);
    assert.doesNotMatch(scene.host.must(["iptables-save"]), /10\.61\.0/);
    assert.equal(
      scene.host
        .must(["sh", "-c", `ls ${scene.work.path("leases", "lan")}`])
        .replace(/last_reserved_ip.0|lock|\s/g, ""),
      "",
    );
    scene.host.run(["--net=default", ...shell("true")]);
    scene.clear();
    assert.doesNotMatch(scene.host.must(["iptables-save"]), /CNI-/);
  });
  it("NET-21: a supervisor that is killed leaves what gc takes away: rules, leases, links", async () => {
    scene.clear();
    const rules = scene.host.must(["nft", "list", "ruleset"]);
    const pod = scene.host.detach(["--net=lan,default", ...shell("sleep 1000")]);
    assert.match(scene.host.must(["iptables-save", "-t", "nat"]), new RegExp(pod));
    await killSupervisor(pod);
    scene.collect();
    await untilNamespaceIsGone(() => !/veth/.test(scene.host.must(["ip", "-o", "link"])));
    assert.doesNotMatch(scene.host.must(["iptables-save"]), new RegExp(`${pod}|10\\.61`));
    assert.equal(scene.host.must(["nft", "list", "ruleset"]).replace(/\s/g, ""), rules.replace(/\s/g, ""));
    assert.doesNotMatch(scene.host.must(["ip", "-o", "link"]), /veth/);
    assert.equal(
      scene.host
        .must(["sh", "-c", `ls ${scene.work.path("leases", "lan")}`])
        .replace(/last_reserved_ip.0|lock|\s/g, ""),
      "",
    );
  });
});

describe("what goes wrong", () => {
  const refused = (args: readonly string[], message: RegExp) => {
    const before = scene.clear();
    const { status, stderr } = scene.host.run([...args, ...shell("true")]);
    assert.equal(status, 125);
    assert.match(stderr, message);
    assert.deepEqual(scene.work.pods(), []);
    assert.equal(scene.host.state(), before);
  };
  it("an unknown network", () =>
    refused(["--net=defalt"], /error\[NOT_FOUND\]: there is no network defalt\n.*\n {2}try: --net=default/));
  it("NET-2: a configuration that is none, with file, line and field", () => {
    scene.define("bad.conflist", '{"cniVersion": "1.0.0",\n"name": "bad",\n"plugins": [{}]}');
    refused(["--net=default"], /CONFIG_INVALID.*bad\.conflist, line 3: plugins\.0\.type/);
    scene.work.command(["rm", scene.work.path("etc/net.d/bad.conflist")]);
  });
  it("NET-5: a plugin that is not installed", () => {
    scene.define("odd.conf", { cniVersion: "1.0.0", name: "odd", type: "no-such-plugin" });
    refused(["--net=odd"], /error\[NOT_FOUND\]: there is no network plugin no-such-plugin/);
    refused(["--net=default,odd"], /no-such-plugin/);
  });
  it("NET-4: a plugin that refuses; what the networks before it made is undone", () => {
    scene.define("full.conf", {
      cniVersion: "1.0.0",
      name: "full",
      type: "bridge",
      bridge: "br-lan",
      ipam: {
        type: "host-local",
        subnet: "10.62.0.0/24",
        rangeStart: "10.62.0.9",
        rangeEnd: "10.62.0.9",
        gateway: "10.62.0.9",
        dataDir: scene.work.path("leases"),
      },
    });
    refused(["--net=default,full"], /NETWORK_FAILED.*plugin bridge failed at ADD.*no IP addresses available/);
  });
  it("NET-21: the command is killed while a plugin works", async () => {
    const plugins = new RecordingPlugins(scene.work.path("recording"));
    plugins.add("killer", '[ "$CNI_COMMAND" = ADD ] && kill -9 $PPID; exit 0');
    scene.define("killer.conflist", { cniVersion: "1.0.0", name: "killer", plugins: [{ type: "killer" }] });
    const before = scene.clear();
    const line = [
      "env",
      `CNI_PATH=/usr/lib/cni:${plugins.directory}`,
      ...scene.work.runLine(["--net=default,killer", ...shell("true")]),
    ];
    assert.notEqual(scene.host.command(line).status, 0);
    scene.collect();
    await untilNamespaceIsGone(() => scene.host.state() === before);
    assert.deepEqual(
      plugins.calls().map(({ environment }) => environment["CNI_COMMAND"]),
      ["ADD", "DEL"],
    );
    assert.deepEqual([scene.work.pods(), scene.host.state()], [[], before]);
  });
});

describe("many at the same time (NET-23)", () => {
  it("pods that start together have addresses of their own, and leave nothing", async () => {
    const before = scene.clear();
    const pods = Array.from({ length: 12 }, () =>
      scene.host.startRun([
        "--net=default",
        boxImage,
        "--exec",
        "/bin/sh",
        "--",
        "-c",
        "ip -4 -o addr show eth0; sleep 0.5",
      ]),
    );
    const statuses = await Promise.all(pods.map(({ ended }) => ended));
    assert.deepEqual(
      statuses,
      statuses.map(() => 0),
      pods.map(({ stderr }) => stderr).join(""),
    );
    const addresses = pods.map(({ stdout }) => /inet (\S+)/.exec(stdout)?.[1]);
    assert.equal(new Set(addresses).size, pods.length, addresses.join(" "));
    assert.equal(scene.clear(), before);
  });
});
