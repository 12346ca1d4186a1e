import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explainNetworks } from "../../src/api/explain-networks.ts";
import { builtinList } from "../../src/net/config.ts";
import { readResult } from "../../src/net/result.ts";
import { writeIntent, writeResult } from "../../src/net/state.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { fails } from "../helpers/failures.ts";
import { settingsIn, temporary } from "../helpers/trust.ts";

const path = temporary();
const list = builtinList({ cniVersion: "1.0.0", name: "lan", plugins: [{ type: "macvlan" }, { type: "portmap" }] });

function pod(withNetworks: boolean): Pod {
  const made = Pod.create(openPods(path("data")));
  const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: "tcp", hostIP: "127.0.0.1" }] as const;
  const attachment = {
    network: "lan",
    list: { ...list, file: "/etc/lan.conflist" },
    ifName: "eth0",
    args: [],
    runtime: { portMappings },
  };
  if (withNetworks) {
    writeIntent(made.directory, { names: ["web"], pluginDirectories: [], attachments: [attachment] });
    const raw = { ips: [{ address: "10.99.0.2/24", gateway: "10.99.0.1" }], routes: [{ dst: "0.0.0.0/0" }] };
    writeResult(made.directory, 0, readResult(raw, "macvlan"), []);
  }
  return made;
}

describe("explainNetworks (NET-50)", () => {
  it("says what the pod's directory knows", async () => {
    const made = pod(true);
    const explained = await explainNetworks(settingsIn(path()), { pod: made.uuid });
    assert.deepEqual(explained, {
      uuid: made.uuid,
      names: ["web"],
      networks: [
        {
          network: "lan",
          ifName: "eth0",
          from: "/etc/lan.conflist",
          cniVersion: "1.0.0",
          plugins: ["macvlan", "portmap"],
          addresses: [{ address: "10.99.0.2/24", gateway: "10.99.0.1" }],
          routes: [{ destination: "0.0.0.0/0", gateway: undefined }],
          nameservers: [],
          mac: undefined,
          ports: ["127.0.0.1:8080/tcp to 80"],
        },
      ],
      rules: [],
    });
    made.release();
  });
  it("a pod without networks of its own has nothing to explain", async () => {
    const made = pod(false);
    await assert.rejects(
      explainNetworks(settingsIn(path()), { pod: made.uuid }),
      fails("WRONG_STATE", /no networks of its own/),
    );
    made.release();
    await assert.rejects(explainNetworks(settingsIn(path()), { pod: "ffffffff-ffff" }), fails("NOT_FOUND"));
  });
});
