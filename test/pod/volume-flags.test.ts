import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseMountFlag, parseVolumeFlag } from "../../src/pod/volume-flags.ts";
import { Volume } from "../../src/schema/volume.ts";
import { fails } from "../helpers/failures.ts";

describe("parseVolumeFlag", () => {
  it("reads the kinds of appc (POD-11 to POD-14)", () => {
    assert.deepEqual(parseVolumeFlag("data,kind=host,source=/srv,readOnly=true,recursive=false"), {
      ...{ name: "data", kind: "host", source: "/srv" },
      readOnly: true,
      recursive: false,
    });
    assert.deepEqual(parseVolumeFlag("tmp,kind=empty"), { name: "tmp", kind: "empty", mode: "0755", uid: 0, gid: 0 });
    assert.deepEqual(parseVolumeFlag("tmp,kind=empty,mode=1777,uid=7,gid=8,readOnly=false"), {
      name: "tmp",
      kind: "empty",
      mode: "1777",
      uid: 7,
      gid: 8,
      readOnly: false,
    });
  });

  it("POD-50: reads a tmpfs, POD-52: a seeded volume, POD-54: propagation", () => {
    const tmpfs = { name: "tmp", kind: "tmpfs", mode: "1777", uid: 0, gid: 0 };
    assert.deepEqual(parseVolumeFlag("tmp,kind=tmpfs"), tmpfs);
    assert.deepEqual(parseVolumeFlag("tmp,kind=tmpfs,size=64M,mode=0700,uid=1,gid=2,readOnly=true"), {
      ...tmpfs,
      ...{ size: "64M", mode: "0700", uid: 1, gid: 2, readOnly: true },
    });
    const seeded = { name: "tmp", kind: "empty", mode: "0755", uid: 0, gid: 0, seeded: true };
    assert.deepEqual(parseVolumeFlag("tmp,kind=empty,seeded=true"), seeded);
    for (const propagation of ["private", "slave", "shared"]) {
      assert.deepEqual(parseVolumeFlag(`data,kind=host,source=/srv,propagation=${propagation}`), {
        ...{ name: "data", kind: "host", source: "/srv", propagation },
      });
    }
  });

  it("what a flag says is a volume of a pod manifest, by the schema", () => {
    for (const text of ["a,kind=host,source=/s,propagation=slave", "a,kind=empty,seeded=true", "a,kind=tmpfs,size=1Mi"])
      assert.deepEqual(Volume.parse(parseVolumeFlag(text)), parseVolumeFlag(text));
  });

  const wrong = [
    "",
    "data",
    "data,kind=host",
    "Data,kind=empty",
    "-data,kind=empty",
    "kind=host,source=/srv",
    "data,kind=host,source=srv",
    "data,kind=host,source=/srv/../etc",
    "data,kind=host,source=/srv\n",
    "data,kind=host,source=/srv,mode=0755",
    "data,kind=empty,source=/srv",
    "data,kind=empty,readOnly=yes",
    "data,kind=empty,kind=empty",
    "data,kind=empty,mode=99",
    "data,kind=empty,uid=-1",
    "data,kind=empty,uid=4294967295",
    "data,kind=empty,gid=007",
    "data,kind=host,source=/srv,bind-propagation=shared",
    "data,kind=host,source=/srv,shared,rw,src=/",
    "data,kind=host,source=/srv,propagation=rshared",
    "data,kind=host,source=/srv,propagation=",
    "data,kind=host,source=/srv,size=64M",
    "data,kind=host,source=/srv,seeded=true",
    "data,kind=empty,propagation=slave",
    "data,kind=empty,seeded=yes",
    "data,kind=tmpfs,source=/srv",
    "data,kind=tmpfs,size=",
    "data,kind=tmpfs,size=0",
    "data,kind=tmpfs,size=-1",
    "data,kind=tmpfs,size=64M\nuid=0",
    "data,kind=tmpfs,size=50%",
    "data,kind=tmpfs,noexec=true",
    "data,kind=constructor",
  ];
  for (const text of wrong) {
    it(`T-R44: refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseVolumeFlag(text), fails("USAGE")));
  }
});

describe("parseMountFlag", () => {
  it("reads volume and target", () =>
    assert.deepEqual(parseMountFlag("volume=data,target=/db"), { volume: "data", target: "/db" }));

  for (const text of [
    "",
    "volume=data",
    "target=/db",
    "volume=data,target=db",
    "volume=data,target=/a/../b",
    "volume=data,target=/db,ro=true",
  ]) {
    it(`T-R44: refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseMountFlag(text), fails("USAGE")));
  }
});
