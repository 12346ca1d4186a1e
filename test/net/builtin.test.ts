import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { isObject } from "../../src/base/objects.ts";
import { bridgeName, builtinNetwork, hasIpv6, networksOf } from "../../src/net/builtin.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function dataOf(t: TestContext): Promise<string> {
  const data = await temporaryDirectory(t);
  mkdirSync(join(networksOf(data), "leases"), { recursive: true });
  return data;
}

function lease(data: string, network: string, count: number): void {
  const directory = join(networksOf(data), "leases", network);
  mkdirSync(directory);
  for (let n = 0; n < count; n++) writeFileSync(join(directory, `10.0.${n >> 8}.${n & 255}`), "");
  writeFileSync(join(directory, "last_reserved_ip.0"), "");
}

describe("built-in networks", () => {
  it("NET-12: a bridge with addresses of both families where the host has them, kept in the data directory", async (t) => {
    const data = await dataOf(t);
    const { list, bridge, range } = builtinNetwork(data, "default", false);
    assert.deepEqual(
      list.plugins.map(({ type }) => type),
      ["bridge"],
    );
    const fields = list.plugins[0]?.fields;
    assert.equal(fields?.["bridge"], bridge);
    const families = hasIpv6() ? 2 : 1;
    const ipam = fields?.["ipam"] as { ranges: unknown[]; routes: unknown[]; dataDir: string };
    assert.deepEqual([ipam.ranges.length, ipam.routes.length], [families, families]);
    assert.equal(ipam.dataDir, join(data, "networks", "leases"));
    assert.deepEqual(builtinNetwork(data, "default", false).range, range);
    assert.deepEqual(JSON.parse(readFileSync(join(data, "networks", "default.json"), "utf8")), range);
  });
  it("NET-12: ports bring the plugin portmap", async (t) => {
    const { list } = builtinNetwork(await dataOf(t), "default", true);
    assert.deepEqual(
      list.plugins.map(({ type }) => type),
      ["bridge", "portmap"],
    );
  });
  it("NET-13: the restricted one has a range of its own and no route out", async (t) => {
    const data = await dataOf(t);
    const [open, restricted] = [
      builtinNetwork(data, "default", false),
      builtinNetwork(data, "default-restricted", false),
    ];
    assert.notEqual(open.range.ipv4, restricted.range.ipv4);
    assert.notEqual(open.bridge, restricted.bridge);
    const ipam = restricted.list.plugins[0]?.fields["ipam"];
    assert.ok(isObject(ipam));
    assert.deepEqual(ipam["routes"], []);
  });
  it("NET-14: a choice that was damaged is made anew", async (t) => {
    const data = await dataOf(t);
    for (const text of ["", "{", '{"ipv4":"x","ipv6":"y"}', '{"ipv4":"10.1.0.0; drop","ipv6":"fd00:1111:2222"}']) {
      writeFileSync(join(networksOf(data), "default.json"), text);
      assert.match(builtinNetwork(data, "default", false).range.ipv4, /^10\.\d+\.0\.0$/);
    }
  });
  it("NET-16: another bridge is begun before one is full, and none is there for ever", async (t) => {
    const data = await dataOf(t);
    lease(data, "default", 900);
    const second = builtinNetwork(data, "default", false);
    assert.deepEqual([second.list.name, second.bridge], ["default-1", bridgeName(data, "default", 1)]);
    for (let shard = 1; shard < 32; shard++) lease(data, `default-${shard}`, 900);
    assert.throws(() => builtinNetwork(data, "default", false), fails("LIMIT_EXCEEDED", /network default is full/));
  });
  it("names of bridges fit the kernel, and differ by data directory", () => {
    assert.equal(bridgeName("/var/lib/perigee", "default", 0), "perigee0");
    const names = ["/a", "/b"].flatMap((data) => [
      bridgeName(data, "default", 31),
      bridgeName(data, "default-restricted", 31),
    ]);
    assert.equal(new Set(names).size, 4);
    for (const name of names) assert.ok(name.length <= 15, name);
  });
});
