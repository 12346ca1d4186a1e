import assert from "node:assert/strict";
import { mkdirSync, readFileSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { builtinList } from "../../src/net/config.ts";
import { peerLines, refreshHosts, writeBase } from "../../src/net/peers.ts";
import { readResult } from "../../src/net/result.ts";
import { teardownFile, writeIntent, writeResult } from "../../src/net/state.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const list = builtinList({ cniVersion: "1.0.0", name: "lan", plugins: [{ type: "bridge" }] });

function makePod(root: string, uuid: string, network: string, address: string, names: readonly string[]): string {
  const pod = join(root, uuid);
  mkdirSync(join(pod, "files"), { recursive: true });
  writeIntent(pod, {
    names,
    pluginDirectories: [],
    attachments: [{ network, list, ifName: "eth0", args: [], runtime: {} }],
  });
  writeResult(pod, 0, readResult({ ips: [{ address }] }, "bridge"), [{}]);
  writeBase(pod, "127.0.0.1\tlocalhost\n");
  return pod;
}
const hosts = (pod: string) => readFileSync(join(pod, "files", "hosts"), "utf8");

describe("names of other pods (NET-33)", () => {
  it("pods of one network are in each other's files; one that has ended is taken out; the file stays the same one", async (t) => {
    const root = await temporaryDirectory(t);
    const web = makePod(root, "b", "lan", "10.0.0.2/24", ["web", "www"]);
    const database = makePod(root, "a", "lan", "10.0.0.3/24", ["db"]);
    const other = makePod(root, "c", "back", "10.1.0.2/24", ["other"]);
    const { ino } = statSync(join(web, "files", "hosts"));
    const all = [web, database, other, join(root, "gone")];
    refreshHosts(all);
    assert.equal(hosts(web), "127.0.0.1\tlocalhost\n10.0.0.3\tdb\n");
    assert.equal(hosts(database), "127.0.0.1\tlocalhost\n10.0.0.2\tweb www\n");
    assert.equal(hosts(other), "127.0.0.1\tlocalhost\n");
    unlinkSync(join(database, teardownFile(0, 0)));
    refreshHosts(all);
    assert.equal(hosts(web), "127.0.0.1\tlocalhost\n");
    assert.equal(statSync(join(web, "files", "hosts")).ino, ino);
    assert.equal(statSync(join(web, "files", "hosts")).mode & 0o777, 0o644);
  });
  it("each address of a network that both are in, and of no other", () => {
    const pod = (uuid: string, networks: readonly (readonly [string, readonly string[]])[]) => ({
      uuid,
      names: [uuid],
      ports: [],
      networks: networks.map(([network, addresses]) => ({ network, ifName: "eth0", addresses, gateways: [] })),
    });
    const one = pod("one", [["a", ["10.0.0.1/24"]]]);
    const two = pod("two", [
      ["a", ["10.0.0.2/24", "fd00::2/64"]],
      ["b", ["10.1.0.2/24"]],
    ]);
    assert.equal(peerLines(one, [one, two]), "10.0.0.2\ttwo\nfd00::2\ttwo\n");
  });
});
