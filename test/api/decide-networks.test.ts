import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decideNetworks, decidePorts } from "../../src/api/decide-networks.ts";
import type { Settings } from "../../src/api/settings.ts";
import type { PodManifest } from "../../src/schema/pod-manifest.ts";
import { fails } from "../helpers/failures.ts";
import { testSettings } from "../helpers/settings.ts";

const settings = (environment: Readonly<Record<string, string>> = {}): Settings => ({
  ...testSettings(),
  caller: { uid: 0, gid: 0, isRoot: true },
  environment: new Map(Object.entries(environment)),
});
const words = (network: string | readonly string[] | undefined) => {
  const { network: kind, words: said } = decideNetworks(settings(), { network });
  return [kind, said];
};

describe("decideNetworks", () => {
  it("NET-10: loopback, the host's, or networks of the pod's own", () => {
    assert.deepEqual(words(undefined), ["none", "none"]);
    assert.deepEqual(words("host"), ["host", "host"]);
    assert.deepEqual(words(["default", "default-restricted:IP=10.0.0.1"]), ["own", "default,default-restricted"]);
    assert.deepEqual(words("all"), ["own", "default"]);
    assert.throws(() => words("nowhere"), fails("NOT_FOUND", /no network nowhere/));
  });
  it("refuses networks of their own for pods of ordinary users, and names what they have", () => {
    const caller = { uid: 1000, gid: 1000, isRoot: false };
    const decide = (network: string) => decideNetworks({ ...settings(), caller }, { network });
    assert.throws(() => decide("default"), fails("NOT_ROOT", /--net=default/));
    assert.deepEqual([decide("none").network, decide("host").network], ["none", "host"]);
  });
  it("NET-5: CNI_PATH takes the place of the usual directories", () => {
    const directories = (environment: Readonly<Record<string, string>>) =>
      decideNetworks(settings(environment), { network: "none" }).pluginDirectories;
    assert.deepEqual(directories({ CNI_PATH: "/a::/b" }), ["/a", "/b"]);
    for (const environment of [{}, { CNI_PATH: "" }]) assert.equal(directories(environment)[0], "/usr/lib/cni");
  });
});

describe("decidePorts", () => {
  const manifest = {
    ports: [{ name: "http", hostPort: 80, podPort: { name: "http", protocol: "tcp", port: 80, count: 1 } }],
    apps: [],
  };
  const ports = (network: string) =>
    decidePorts(decideNetworks(settings(), { network }), manifest as unknown as PodManifest);
  it("POD-42: refuses ports where the pod has no network of its own", () => {
    for (const network of ["none", "host"])
      assert.throws(() => ports(network), fails("UNSUPPORTED", /port http/, { cause: /POD-42/ }));
    assert.deepEqual(ports("default"), [{ hostPort: 80, containerPort: 80, protocol: "tcp", hostIP: "" }]);
  });
});
