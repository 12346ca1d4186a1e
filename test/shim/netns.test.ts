import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, readlinkSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setShimPath } from "../../src/shim/binary.ts";
import { closeNamespaces, makeNamespaces, removeBridge } from "../../src/shim/netns.ts";
import { fails } from "../helpers/failures.ts";
import { shim } from "../helpers/shim-pod.ts";

before(() => setShimPath(shim));
const ids = { base: 900_000_000, count: 65536 };
const inside = (net: number, ...command: readonly string[]) =>
  spawnSync("nsenter", [`--net=/proc/${process.pid}/fd/${net}`, ...command], { encoding: "utf8" });

describe("makeNamespaces (NET-20)", () => {
  it("a network namespace with lo up, which a user namespace with the pod's ids owns", async () => {
    const namespaces = await makeNamespaces(ids);
    after(() => closeNamespaces(namespaces));
    const { user, net } = namespaces;
    assert.match(inside(net, "ip", "-o", "link").stdout, /^1: lo: <LOOPBACK,UP,LOWER_UP>[^\n]*\n$/);
    const map = spawnSync("nsenter", [`--user=/proc/${process.pid}/fd/${user}`, "cat", "/proc/self/uid_map"]);
    assert.match(map.stdout.toString(), /^\s*0\s+900000000\s+65536\n$/);
    assert.notEqual(readlinkSync(`/proc/self/fd/${net}`), readlinkSync("/proc/self/ns/net"));
  });
  it("without ids the user namespace is the host's", async () => {
    const { user, net } = await makeNamespaces(undefined);
    assert.equal(user, undefined);
    assert.equal(inside(net, "true").status, 0);
    closeSync(net);
  });
  it("the host's root is never mapped", async () => {
    await assert.rejects(makeNamespaces({ base: 0, count: 65536 }), fails("SHIM_FAILED", /root is never mapped/));
  });
  it("no process is left", async () => {
    const { stdout } = spawnSync("ps", ["-e", "-o", "ppid,comm"], { encoding: "utf8" });
    assert.doesNotMatch(stdout, new RegExp(`^ *${process.pid} perigee-`, "m"));
  });
});

describe("removeBridge (NET-22)", () => {
  it("a bridge that is gone is fine; a name that none can have is not", async () => {
    await removeBridge("perigee-none");
    await assert.rejects(removeBridge("a-name-that-is-too-long"), fails("SHIM_FAILED"));
  });
});
