import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PodManifest } from "../../src/schema/pod-manifest.ts";

const smallest = { acKind: "PodManifest", acVersion: "0.8.11" };

describe("PodManifest (POD-4…18)", () => {
  it("reads null for every list, as the reference encoder writes", () => {
    const pod = PodManifest.parse({
      ...smallest,
      apps: null,
      volumes: null,
      isolators: null,
      annotations: null,
      ports: null,
    });
    assert.deepEqual(pod, { ...smallest, apps: [], volumes: [], isolators: [], annotations: [], ports: [] });
  });
  it("POD-8: the root file system is writable unless said otherwise", () => {
    const pod = PodManifest.parse({ ...smallest, apps: [{ name: "a", image: { id: `sha512-${"0".repeat(128)}` } }] });
    assert.equal(pod.apps[0]?.readOnlyRootFS, false);
  });
  it("POD-16: an empty address means all", () => {
    const pod = PodManifest.parse({ ...smallest, ports: [{ name: "a", hostPort: 80, hostIP: "" }] });
    assert.equal(pod.ports[0]?.hostIP, undefined);
  });
});
