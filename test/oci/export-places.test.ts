import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { outgoingPorts, outgoingVolumes } from "../../src/oci/export-places.ts";
import { mapPorts, mapVolumes } from "../../src/oci/places.ts";

const port = (name: string, number: number, more: object = {}) => ({
  ...{ name, protocol: "tcp", port: number, count: 1, socketActivated: false },
  ...more,
});

describe("OCI-82: ports and mount points", () => {
  it("are keys again, and those that came from keys lose nothing", () => {
    const lost: string[] = [];
    const ports = mapPorts(["80/tcp", "53/udp"], []).map(({ name, ...rest }) => port(name, rest.port, rest));
    assert.deepEqual(
      outgoingPorts(ports, (what) => lost.push(what)),
      ["80/tcp", "53/udp"],
    );
    const points = mapVolumes(["/data", "/Data"], []);
    assert.deepEqual(
      outgoingVolumes(points, (what) => lost.push(what)),
      ["/data", "/Data"],
    );
    assert.deepEqual(lost, []);
  });

  it("a range is each of its ports, as long as they are not too many", () => {
    const lost: string[] = [];
    const tell = (what: string) => lost.push(what);
    assert.deepEqual(outgoingPorts([port("r", 8000, { count: 3 })], tell), ["8000/tcp", "8001/tcp", "8002/tcp"]);
    assert.deepEqual(lost.splice(0), ["the name of the port r"]);
    assert.deepEqual(outgoingPorts([port("all", 1, { count: 65535 }), port("80-tcp", 80)], tell), ["80/tcp"]);
    assert.match(lost[0] ?? "", /all: more than/);
  });
});
