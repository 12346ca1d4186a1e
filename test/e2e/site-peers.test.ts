/**
 * Two machines, as far as the network goes: two network namespaces with one cable between them. Each publishes and serves its own images and
 * fetches those of the other. The namespaces live as long as the process that holds each of them.
 */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { printed, program, Workspace } from "../helpers/program.ts";
import { caFile, ownKey, signedImage } from "../helpers/site-world.ts";

interface Machine {
  readonly work: Workspace;
  readonly host: string;
  readonly address: string;
  readonly image: string;
  holder: ChildProcess | undefined;
  fingerprint: string;
}

const clean = leakSnapshot();
const machine = (host: string, address: string): Machine => {
  return { work: new Workspace(), host, address, image: `${host}/app`, holder: undefined, fingerprint: "" };
};
const left = machine("left.example", "192.0.2.1");
const right = machine("right.example", "192.0.2.2");

/** `argv` in the network of the machine. */
const inside = ({ holder }: Machine, ...argv: readonly string[]): readonly string[] => [
  "nsenter",
  "--net",
  "--target",
  String(holder?.pid),
  ...argv,
];

function must(machine: Machine, ...argv: readonly string[]): string {
  const { status, stdout, stderr } = machine.work.command(inside(machine, ...argv));
  assert.equal(status, 0, `${argv.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

/** perigee on the machine `from`, which knows where `to` is and whose certificate it has. */
function ask(
  from: Machine,
  to: Machine,
  ...args: readonly string[]
): { readonly status: number; readonly stdout: string; readonly stderr: string } {
  const way = ["--ca-file", caFile(to.work), "--connect-to", `${to.host}:${to.address}:8443`];
  const [command = "", ...rest] = args;
  return from.work.command(inside(from, program, ...from.work.globals, command, ...way, ...rest));
}

async function startMachine(machine: Machine): Promise<void> {
  const { work } = machine;
  machine.fingerprint = ownKey(work, machine.host.split(".")[0] ?? "");
  work.must(["publish", "--out", "site", "--url", `https://${machine.host}`, signedImage(work, machine.image)]);
  const holder = work.startCommand(["unshare", "--net", "sh", "-c", "echo ready; exec sleep 600"], "pipe");
  machine.holder = holder;
  await printed(holder, /ready/);
}

before(async () => {
  for (const one of [left, right]) await startMachine(one);
  must(left, "ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", String(right.holder?.pid));
  for (const one of [left, right]) {
    must(one, "ip", "address", "add", `${one.address}/30`, "dev", "cable");
    for (const device of ["lo", "cable"]) must(one, "ip", "link", "set", device, "up");
  }
  for (const one of [left, right]) {
    const serve = ["serve", "--listen", `${one.address}:8443`, "site"];
    const server = one.work.startCommand(inside(one, program, ...one.work.globals, ...serve), "pipe");
    await printed(server, /serving at https:\/\/192\.0\.2\.\d:8443/);
  }
});
after(async () => {
  for (const { work } of [left, right]) await work.close();
  await assertNothingLeft(clean);
});

describe("two machines that serve each other", () => {
  for (const [from, to] of [
    [left, right],
    [right, left],
  ] as const) {
    it(`${from.host} trusts, fetches and runs an image of ${to.host}`, () => {
      assert.equal(ask(from, to, "fetch", to.image).status, 4, "not before its key is trusted");
      const trusted = ask(from, to, "trust", "--prefix", to.image, "--fingerprint", to.fingerprint);
      assert.equal(trusted.status, 0, trusted.stderr);
      const fetched = ask(from, to, "fetch", "--full", to.image);
      assert.equal(fetched.status, 0, fetched.stderr);
      const [stored] = JSON.parse(from.work.must(["image", "list", "--format", "json"]));
      assert.deepEqual([stored.id, stored.name], [fetched.stdout.trim(), to.image]);
      assert.equal(from.work.perigee(["run", to.image]).status, 7);
    });
  }

  it("at the same time, and many of them", async () => {
    const ends = [left, right].flatMap((from) => {
      const to = from === left ? right : left;
      const way = ["--ca-file", caFile(to.work), "--connect-to", `${to.host}:${to.address}:8443`];
      return Array.from({ length: 4 }, () => {
        const child = from.work.startCommand(
          inside(from, program, ...from.work.globals, "fetch", "--pull-policy=update", ...way, to.image),
          "ignore",
        );
        return new Promise((resolve) => child.once("exit", resolve));
      });
    });
    assert.deepEqual(await Promise.all(ends), Array(8).fill(0));
  });

  it("neither is to be reached from anywhere else", () => {
    const way = ["--silent", "--noproxy", "*", "--max-time", "2", "--insecure"];
    const { status } = left.work.command(["curl", ...way, `https://${left.address}:8443/`]);
    assert.notEqual(status, 0);
  });
});
