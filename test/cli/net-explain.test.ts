import assert from "node:assert/strict";
import { describe, it } from "node:test";
import command from "../../src/cli/commands/net-explain.ts";
import { builtinList } from "../../src/net/config.ts";
import { readResult } from "../../src/net/result.ts";
import { writeIntent, writeResult } from "../../src/net/state.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { fails } from "../helpers/failures.ts";
import { type Given, invoke, settingsIn, temporary } from "../helpers/trust.ts";

const path = temporary();
const explain = (given: Given) => invoke(command, settingsIn(path()), given);

describe("perigee net explain", () => {
  it("prints one block for each network, and JSON with its version", async () => {
    const pod = Pod.create(openPods(path("data")));
    const list = builtinList({ cniVersion: "1.0.0", name: "lan", plugins: [{ type: "macvlan" }] });
    const attachment = {
      network: "lan",
      list: { ...list, file: "/etc/lan.conf" },
      ifName: "eth0",
      args: [],
      runtime: {},
    };
    writeIntent(pod.directory, { names: ["web", "www"], pluginDirectories: [], attachments: [attachment] });
    const raw = {
      ips: [{ address: "10.99.0.2/24", gateway: "10.99.0.1" }],
      routes: [{ dst: "0.0.0.0/0" }],
      dns: { nameservers: ["10.99.0.1"] },
    };
    writeResult(pod.directory, 0, readResult(raw, "macvlan"), []);
    const { lines, json } = await explain({ args: [pod.uuid] });
    assert.deepEqual(lines, [
      `pod ${pod.uuid}, found by others as web, www`,
      "eth0: network lan, /etc/lan.conf",
      "  plugins: macvlan (CNI 1.0.0)",
      "  address: 10.99.0.2/24 via 10.99.0.1",
      "  route: 0.0.0.0/0",
      "  name server: 10.99.0.1",
    ]);
    assert.equal((json as { version: number }).version, 1);
    pod.release();
  });
  it("refuses a pod that there is not", async () => {
    await assert.rejects(explain({ args: ["ffffffff-ffff"] }), fails("NOT_FOUND"));
  });
});
