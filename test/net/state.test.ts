import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import { builtinList } from "../../src/net/config.ts";
import { readResult } from "../../src/net/result.ts";
import {
  attachedNetworks,
  forget,
  isToBeUndone,
  lookAtNetworks,
  readIntent,
  readPodResult,
  teardownFile,
  writeIntent,
  writeResult,
} from "../../src/net/state.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const list = builtinList({
  cniVersion: "1.0.0",
  name: "lan",
  plugins: [{ type: "bridge", capabilities: { ips: true }, x: 1 }],
});
const port = { hostPort: 8080, containerPort: 80, protocol: "tcp", hostIP: "127.0.0.1" } as const;
const networks = {
  names: ["web", "www"],
  pluginDirectories: ["/usr/lib/cni"],
  attachments: [
    { network: "lan", list, ifName: "eth0", args: [["IP", "10.0.0.9"]] as const, runtime: { portMappings: [port] } },
  ],
};
const result = readResult({ ips: [{ address: "10.0.0.9/24", gateway: "10.0.0.1" }] }, "bridge");

describe("what a pod directory says of its networks (NET-20)", () => {
  it("comes back as it was written", async (t) => {
    const pod = await temporaryDirectory(t);
    assert.equal(readIntent(pod), undefined);
    writeIntent(pod, networks);
    assert.deepEqual(readIntent(pod), {
      ...networks,
      attachments: [{ ...networks.attachments[0], list: { ...list } }],
    });
  });
  it("is to be undone until every answer is there and every end was seen", async (t) => {
    const pod = await temporaryDirectory(t);
    writeIntent(pod, networks);
    assert.equal(isToBeUndone(pod, networks), true);
    writeResult(pod, 0, result, [{ type: "bridge" }]);
    assert.equal(isToBeUndone(pod, networks), true);
    const found = lookAtNetworks(pod);
    assert.deepEqual([found?.names, found?.ports, found?.uuid], [["web", "www"], [port], basename(pod)]);
    assert.equal(readFileSync(join(pod, teardownFile(0, 0)), "utf8"), '{"type":"bridge"}');
    unlinkSync(join(pod, teardownFile(0, 0)));
    assert.equal(isToBeUndone(pod, networks), false);
    assert.equal(lookAtNetworks(pod), undefined, "its addresses may be another's by now");
    forget(pod);
    assert.equal(existsSync(join(pod, "net")), false);
  });
  it("NET-24: addresses are read from files alone", async (t) => {
    const pod = await temporaryDirectory(t);
    assert.equal(attachedNetworks(pod), undefined);
    writeIntent(pod, networks);
    writeResult(pod, 0, result, []);
    assert.deepEqual(readPodResult(pod, 0)?.addresses, result.addresses);
    assert.deepEqual(attachedNetworks(pod), [
      { network: "lan", ifName: "eth0", addresses: ["10.0.0.9/24"], gateways: ["10.0.0.1"], mac: undefined },
    ]);
  });
  it("what is damaged is told to who must undo it, and nothing to who looks", async (t) => {
    for (const text of ["", "{", "[]", '{"pluginDirectories":[],"attachments":[7]}', '{"attachments":[{}]}']) {
      const pod = await temporaryDirectory(t);
      mkdirSync(join(pod, "net"));
      writeFileSync(join(pod, "net", "networks"), text);
      assert.throws(() => readIntent(pod), fails("CONFIG_INVALID", /cannot be read/));
      assert.deepEqual([attachedNetworks(pod), lookAtNetworks(pod)], [undefined, undefined]);
    }
  });
});
