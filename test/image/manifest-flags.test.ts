import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ManifestFlags, parseManifestFlags } from "../../src/image/manifest-flags.ts";
import { fails } from "../helpers/failures.ts";

const nothing = {
  name: undefined,
  exec: undefined,
  user: undefined,
  group: undefined,
  supplementaryGIDs: undefined,
  mountPoints: [],
  ports: [],
  isolators: [],
};

describe("parseManifestFlags", () => {
  const cases: readonly (readonly [ManifestFlags, object])[] = [
    [{}, {}],
    [{ name: "", exec: "", mounts: "", ports: "", isolators: "", capability: "", seccompMode: "" }, {}],
    [
      { name: "a/b", user: "5", group: "6" },
      { name: "a/b", user: "5", group: "6" },
    ],
    [{ exec: " /x  y 'a " }, { exec: ["/x", "y", "'a"] }],
    [{ supplementaryGroups: "1, 2" }, { supplementaryGIDs: [1, 2] }],
    [
      { mounts: "work,path=/opt,readOnly=true:b,path=/b" },
      {
        mountPoints: [
          { name: "work", path: "/opt", readOnly: true },
          { name: "b", path: "/b" },
        ],
      },
    ],
    [
      { ports: "q,protocol=tcp,port=80:r,protocol=udp,port=1,count=3,socketActivated=false" },
      {
        ports: [
          { name: "q", protocol: "tcp", port: 80 },
          { name: "r", protocol: "udp", port: 1, count: 3, socketActivated: false },
        ],
      },
    ],
    [
      { capability: "CAP_CHOWN,CAP_KILL" },
      { isolators: [{ name: "os/linux/capabilities-retain-set", value: { set: ["CAP_CHOWN", "CAP_KILL"] } }] },
    ],
    [
      { revokeCapability: "CAP_CHOWN" },
      { isolators: [{ name: "os/linux/capabilities-remove-set", value: { set: ["CAP_CHOWN"] } }] },
    ],
    [
      { seccompMode: "remove,errno=ENOSYS", seccompSet: "read,write" },
      { isolators: [{ name: "os/linux/seccomp-remove-set", value: { set: ["read", "write"], errno: "ENOSYS" } }] },
    ],
    [
      {
        isolators:
          "resource/cpu,request=50m,limit=100m:os/linux/no-new-privileges,true:os/linux/oom-score-adj,-5:os/unix/sysctl,a.b=c=d",
      },
      {
        isolators: [
          { name: "resource/cpu", value: { request: "50m", limit: "100m" } },
          { name: "os/linux/no-new-privileges", value: true },
          { name: "os/linux/oom-score-adj", value: -5 },
          { name: "os/unix/sysctl", value: { "a.b": "c=d" } },
        ],
      },
    ],
  ];
  for (const [flags, expected] of cases) {
    it(JSON.stringify(flags), () => assert.deepEqual(parseManifestFlags(flags), { ...nothing, ...expected }));
  }

  const refused: readonly (readonly [ManifestFlags, RegExp])[] = [
    [{ supplementaryGroups: "1,x" }, /--supplementary-groups: "x": it is no whole number/],
    [{ mounts: "work,pth=/x" }, /--mounts: .*"pth=\/x\\" is none of its fields|--mounts: .*none of its fields/],
    [{ mounts: "work,path=/x,path=/y" }, /path is given twice/],
    [{ mounts: "work,path=/x,readOnly=yes" }, /neither true nor false/],
    [{ mounts: "work,__proto__=1" }, /none of its fields/],
    [{ ports: "q,port=8o" }, /no whole number/],
    [{ isolators: "os/linux/foo,x=1" }, /"os\/linux\/foo" cannot be set here/],
    [{ isolators: "os/linux/no-new-privileges" }, /has one value/],
    [{ isolators: "os/unix/sysctl,=1" }, /not KEY=VALUE/],
    [{ capability: "CAP_CHOWN", revokeCapability: "CAP_KILL" }, /exclude each other \(ACE-39\)/],
    [{ seccompSet: "read" }, /go together/],
    [{ seccompMode: "retain" }, /go together/],
    [{ seccompMode: "bogus", seccompSet: "read" }, /no such mode/],
    [{ seccompMode: "retain,error=x", seccompSet: "read" }, /none of its fields/],
  ];
  for (const [flags, message] of refused) {
    it(`refuses ${JSON.stringify(flags)} in one line`, () => {
      assert.throws(() => parseManifestFlags(flags), fails("USAGE", message, { hint: /./ }));
    });
  }
});
