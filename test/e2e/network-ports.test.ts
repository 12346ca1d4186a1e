/** Ports of the host that lead to pods, and the names by which pods find each other; with real plugins, on a host of its own. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { NetworkWork, networkWork, serving, shell } from "../helpers/network-work.ts";
import { Running } from "../helpers/program.ts";

const scene = networkWork();
const web = "example.com/web";

/** busybox with ports that have names. */
before(() => {
  const ports = [
    { name: "http", protocol: "tcp", port: 80 },
    { name: "echo", protocol: "udp", port: 7 },
    { name: "range", protocol: "tcp", port: 8000, count: 3 },
  ];
  scene.work.stored(web, { exec: ["/bin/sh"], user: "0", group: "0", ports }, {}, NetworkWork.busybox);
});
const webShell = (line: string): readonly string[] => [web, "--exec", "/bin/sh", "--", "-c", line];
/** On the host, until it answers. */
const curl = (url: string): string =>
  scene.host.command([
    "curl",
    "-sg",
    "--retry",
    "100",
    "--retry-delay",
    "1",
    "--retry-all-errors",
    "--retry-max-time",
    "60",
    "--max-time",
    "5",
    url,
  ]).stdout;
const until = (line: string, pattern: string): string =>
  `for i in $(seq 100); do ${line} | grep ${pattern} && exit 0; sleep 0.2; done; exit 1`;

describe("--port (NET-40, NET-41)", () => {
  it("leads from 127.0.0.1 of the host to the app, and from nowhere else; afterwards nothing is left", () => {
    const state = scene.clear();
    scene.host.detach(["--net=default", "--port=http:8080", ...webShell(serving("published"))]);
    assert.equal(curl("http://127.0.0.1:8080/"), "published\n");
    const outside = scene.host.command(["curl", "-s", "--max-time", "2", "http://192.0.2.2:8080/"]);
    assert.notEqual(outside.status, 0);
    assert.equal(scene.clear(), state);
    assert.doesNotMatch(scene.host.must(["iptables-save"]), /CNI-/);
  });
  it("from an address that is said, also for another host, and by IPv6", () => {
    scene.host.must(["ip", "-6", "addr", "add", "fd77::1/64", "dev", "up0", "nodad"]);
    scene.host.detach([
      "--net=default",
      "--port=http:192.0.2.2:8081/tcp",
      "--port=range:[fd77::1]:9000",
      ...webShell(`httpd -p 8002 -h /; ${serving("shown")}`),
    ]);
    assert.equal(curl("http://192.0.2.2:8081/"), "shown\n");
    assert.equal(curl("http://[fd77::1]:9002/"), "shown\n", "the third port of the range");
    assert.equal(scene.host.fromFarEnd(["curl", "-s", "--max-time", "60", "http://192.0.2.2:8081/"]), "shown\n");
    scene.clear();
  });
  it("udp", async () => {
    const pod = scene.host.detach(["--net=default", "--port=echo:5007/udp", ...webShell("sleep 1000")]);
    const pid = scene.work.pods().find(({ uuid }) => uuid === pod)?.pid;
    // busybox has no server for it, so this one stands in the pod's network namespace.
    const server = `const s = require("node:dgram").createSocket("udp4");
s.on("message", (text, from) => s.send(text, from.port, from.address));
s.bind(7, () => console.log("ready"));`;
    const inside = ["nsenter", `--net=/proc/${pid}/ns/net`, process.execPath, "-e", server];
    const running = new Running(scene.work.startCommand(inside, "pipe"));
    await running.until(/ready/);
    const client = `const s = require("node:dgram").createSocket("udp4");
s.on("message", (text) => { console.log(String(text)); process.exit(0); });
setInterval(() => s.send("hello", 5007, "127.0.0.1"), 200);
setTimeout(() => process.exit(1), 60000);`;
    assert.equal(scene.host.must([process.execPath, "-e", client]), "hello\n");
    running.child.kill();
    await running.ended;
    scene.clear();
  });
  it("NET-42: a port that another pod, or a program of the host, has is refused before the start", () => {
    const pod = scene.host.detach(["--net=default", "--pod-name=first", "--port=http:8080", ...webShell("sleep 1000")]);
    const second = scene.host.run(["--net=default", "--port=http:0.0.0.0:8080", ...webShell("true")]);
    assert.equal(second.status, 125);
    assert.match(
      second.stderr,
      new RegExp(`ALREADY_EXISTS.*0\\.0\\.0\\.0:8080/tcp of the host leads to pod ${pod} \\(first\\)`),
    );
    assert.equal(scene.host.perigee(["stop", "--force", "first"]).status, 0);
    assert.equal(scene.host.run(["--net=default", "--port=http:8080", ...webShell("true")]).status, 0, "free again");
    assert.deepEqual(
      scene.work.pods().filter(({ state }) => state === "running"),
      [],
    );
    scene.clear();
  });
  it("POD-42, NET-41: needs a network that forwards, and a port that an app has", () => {
    const refused = (args: readonly string[], message: RegExp) => {
      const { status, stderr } = scene.host.run([...args, ...webShell("true")]);
      assert.equal(status, 125);
      assert.match(stderr, message);
      assert.deepEqual(scene.work.pods(), []);
    };
    refused(["--net=none", "--port=http:8080"], /UNSUPPORTED.*port http.*\n.*POD-42.*\n.*--net=default/);
    refused(["--net=default", "--port=htp:8080"], /USAGE.*no app has a port htp/);
    scene.define("plain.conflist", {
      cniVersion: "1.0.0",
      name: "plain",
      plugins: [{ type: "bridge", bridge: "br-plain", ipam: { type: "host-local", subnet: "10.63.0.0/24" } }],
    });
    refused(["--net=plain", "--port=http:8080"], /UNSUPPORTED.*none of the pod's networks forwards ports/);
  });
});

describe("names", () => {
  it("NET-33: pods of one network find each other by name, alias and host name; one that ended is forgotten", () => {
    scene.host.detach([
      "--net=default",
      "--pod-name=one",
      "--net-alias=eins",
      "--hostname=host-one",
      ...shell(serving("one")),
    ]);
    const second = scene.host.detach(["--net=default", "--pod-name=two", ...shell("sleep 1000")]);
    for (const name of ["one", "eins", "host-one"]) {
      const { status, stdout, stderr } = scene.host.run([
        "--net=default",
        ...shell(until(`wget -qO- http://${name}/`, "one")),
      ]);
      assert.deepEqual([status, stdout], [0, "one\n"], stderr);
    }
    // The one that was there before learns of who came later, and forgets who has gone.
    const hosts = () =>
      scene.host.must([...scene.work.runLine([]).slice(0, -1), "enter", "one", "/bin/cat", "/etc/hosts"]);
    assert.match(hosts(), /^10\.\S+\ttwo perigee-/m);
    assert.match(readFileSync(`${scene.work.data}/pods/run/${second}/files/hosts`, "utf8"), /\tone host-one eins$/m);
    assert.equal(scene.host.perigee(["stop", "--force", "two"]).status, 0);
    scene.collect();
    assert.doesNotMatch(hosts(), /two/);
    assert.match(hosts(), /\tone host-one eins$/m);
    scene.clear();
  });
  it("NET-31, NET-32: resolv.conf and hosts as they are said, over the image's", () => {
    const files = (...args: readonly string[]) => {
      const { status, stdout, stderr } = scene.host.run([
        ...args,
        ...shell("cat /etc/hosts; echo; cat /etc/resolv.conf"),
      ]);
      assert.equal(status, 0, stderr);
      return stdout;
    };
    const said = files(
      "--net=default",
      "--dns=10.9.9.9",
      "--dns-search=a.example",
      "--dns-opt=ndots:3",
      "--dns-domain=b.example",
      "--hosts-entry=10.8.8.8=db",
    );
    assert.match(said, /^10\.8\.8\.8\tdb$/m);
    assert.match(said, /^domain b\.example\nsearch a\.example\nnameserver 10\.9\.9\.9\noptions ndots:3$/m);
    assert.match(files("--net=none", "--dns=10.9.9.9", "--hosts-entry=10.8.8.8=db"), /db\n\nnameserver 10\.9\.9\.9/);
    assert.equal(
      files("--net=default", "--dns=host", "--hosts-entry=host"),
      `${readFileSync("/etc/hosts", "utf8")}\n${readFileSync("/etc/resolv.conf", "utf8")}`,
    );
  });
  it("NET-31: name servers that a plugin gives are taken", () => {
    scene.define("named.conflist", {
      cniVersion: "1.0.0",
      name: "named",
      plugins: [
        {
          type: "bridge",
          bridge: "br-plain",
          dns: { nameservers: ["10.63.0.53"] },
          ipam: { type: "host-local", subnet: "10.64.0.0/24", dataDir: scene.work.path("leases") },
        },
      ],
    });
    const { stdout, stderr } = scene.host.run(["--net=named", ...shell("cat /etc/resolv.conf")]);
    assert.equal(stdout, "nameserver 10.63.0.53\n", stderr);
  });
});

describe("what can be seen", () => {
  it("NET-24, NET-50: addresses in list and status, and all of it in net explain", () => {
    const pod = scene.host.detach(["--net=default", "--port=http:8080", ...webShell("sleep 1000")]);
    const { ipv4 } = scene.addressesOf(pod);
    assert.match(scene.host.perigee(["list"]).stdout, new RegExp(`default:ip4=${ipv4}`));
    assert.match(scene.host.perigee(["status", pod]).stdout, new RegExp(`^networks=default:ip4=${ipv4}$`, "m"));
    const { stdout } = scene.host.perigee(["net", "explain", pod]);
    assert.match(
      stdout,
      new RegExp(`eth0: network default, built in\n  plugins: bridge, portmap .*\n  address: ${ipv4}/21 via`),
    );
    assert.match(stdout, /port of the host: 127\.0\.0\.1:8080\/tcp to 80/);
    assert.match(stdout, /rule of perigee, table inet pg\w+: ip saddr .* masquerade/);
    assert.match(
      stdout,
      new RegExp(`rule of network plugins, by iptables: -A CNI-DN-\\w+ .*--to-destination ${ipv4}:80`),
    );
    scene.clear();
  });
});
