import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ConfinementOptions, decideConfinement } from "../../src/pod/confinement.ts";
import type { Level } from "../../src/pod/isolator-level.ts";
import { Isolators } from "../../src/schema/isolators.ts";

const options: ConfinementOptions = { insecure: new Set(), userNamespace: true, writesHost: false };
const retain = "os/linux/capabilities-retain-set";
const remove = "os/linux/capabilities-remove-set";
const calls = "os/linux/seccomp-retain-set";

type Named = Readonly<Record<string, unknown>>;

function decide(from: "caller" | "image", named: Named, changed: Partial<ConfinementOptions> = {}) {
  const isolators = Isolators.parse(Object.entries(named).map(([name, value]) => ({ name, value })));
  const fromImage = new Set(from === "image" ? Object.keys(named) : []);
  const level: Level = { app: "web", isolators, fromImage, report: [] };
  const decided = decideConfinement(level, { ...options, ...changed });
  return { ...decided, states: level.report.map(({ state }) => state), why: level.report.map(({ why }) => why).join() };
}

describe("no_new_privs", () => {
  it("is on; ACE-40: false is honoured and widens the default set", () => {
    assert.deepEqual([decide("image", {}).noNewPrivileges, decide("image", {}).capabilities.length], [true, 9]);
    const off = decide("image", { "os/linux/no-new-privileges": false });
    assert.deepEqual([off.noNewPrivileges, off.capabilities.length, off.states], [false, 11, ["enforced"]]);
  });
});

describe("capabilities", () => {
  const mighty = { [retain]: { set: ["CAP_SYS_ADMIN", "CAP_NET_RAW", "CAP_SYS_PTRACE", "CAP_SETFCAP"] } };

  it("whoever runs an app gives exactly what is named (ACE-39), and is told whose they are", () => {
    const { capabilities, states } = decide("caller", mighty);
    assert.deepEqual(capabilities, ["CAP_NET_RAW", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_SETFCAP"]);
    assert.deepEqual(states, ["enforced"]);
    assert.match(decide("caller", mighty, { userNamespace: false }).why, /of the host/);
  });

  for (const userNamespace of [true, false]) {
    it(`ISO-2: an image gets at most ACE-38's 14, and each that was cut is named, user namespace ${userNamespace}`, () => {
      const { capabilities, states, why } = decide("image", mighty, { userNamespace });
      assert.deepEqual(capabilities, ["CAP_NET_RAW", "CAP_SETFCAP"]);
      assert.deepEqual(states, ["modified"]);
      assert.match(why, /CAP_SYS_ADMIN, CAP_SYS_PTRACE;.*--caps-retain/);
    });
  }

  it("an image that asks for no more than the 14 has its set as written; a remove-set begins with them", () => {
    const few = decide("image", { [retain]: { set: ["CAP_MKNOD"] } });
    assert.deepEqual([few.capabilities, few.states], [["CAP_MKNOD"], ["enforced"]]);
    const removed = decide("image", { [remove]: { set: ["CAP_MKNOD"] } });
    assert.deepEqual([removed.capabilities.length, removed.states], [13, ["enforced"]]);
    assert.deepEqual(decide("image", { [retain]: { set: ["CAP_SYS_ADMIN"] } }).capabilities, []);
  });

  it("unknown names are refused, not cut", () => {
    assert.throws(() => decide("image", { [retain]: { set: ["CAP_EVERYTHING"] } }), /CAP_EVERYTHING/);
  });

  it("--insecure-options=capabilities gives all", () => {
    const all = decide("image", mighty, { insecure: new Set(["capabilities"]), writesHost: true });
    assert.deepEqual([all.capabilities.length, all.states], [41, ["ignored"]]);
  });

  it("ISO-6: with files of the host to write to, nobody marks files unasked", () => {
    const marking = (name: string) => ["CAP_SETFCAP", "CAP_FSETID", "CAP_MKNOD"].includes(name);
    const writing = { writesHost: true };
    const sets: readonly Named[] = [
      {},
      { "os/linux/no-new-privileges": false },
      { [remove]: { set: ["CAP_KILL"] } },
      mighty,
    ];
    for (const named of sets) {
      const { capabilities } = decide("image", named, writing);
      assert.deepEqual(capabilities.filter(marking), [], JSON.stringify(named));
      assert.deepEqual(
        capabilities,
        decide("image", named).capabilities.filter((name) => !marking(name)),
      );
    }
    assert.match(decide("image", mighty, writing).why, /there is no CAP_SETFCAP;/);
    assert.ok(decide("caller", mighty, writing).capabilities.includes("CAP_SETFCAP"), "--caps-retain gives it");
    assert.deepEqual(decide("caller", { [remove]: { set: ["CAP_KILL"] } }, writing).capabilities.filter(marking), []);
  });
});

describe("system calls", () => {
  const set = (...names: readonly string[]) => ({ [calls]: { set: names } });

  it("ACE-34: whoever runs an app may opt out; ISO-3: its image may not, and that is said", () => {
    assert.equal(decide("caller", set("@appc.io/all")).seccomp, "off");
    const image = decide("image", set("@appc.io/all"));
    assert.deepEqual([image.seccomp, image.states], ["default", ["modified"]]);
    assert.match(image.why, /@appc\.io\/all: the default filter holds; --seccomp can/);
  });

  it("ISO-3: what an image cannot ask for is named", () => {
    const { seccomp, states, why } = decide("image", set("read", "bpf", "keyctl"));
    assert.ok(typeof seccomp === "object");
    assert.deepEqual(states, ["modified"]);
    assert.match(why, /cannot ask for bpf, keyctl: /);
    assert.deepEqual(decide("image", set("read", "socket", "ptrace")).states, ["enforced"]);
    assert.deepEqual(decide("image", { "os/linux/seccomp-remove-set": { set: ["@appc.io/empty"] } }).states, [
      "enforced",
    ]);
  });

  it("--insecure-options=seccomp turns the filter off, whatever the isolators are", () => {
    const insecure = new Set(["seccomp"]);
    assert.equal(decide("image", {}, { insecure }).seccomp, "off");
    const ignored = decide("image", set("read"), { insecure });
    assert.deepEqual([ignored.seccomp, ignored.states], ["off", ["ignored"]]);
  });

  it("ISO-5: what the pod writes to is known to the filter", () => {
    assert.deepEqual(
      [decide("image", {}, { writesHost: true }).writesHost, decide("image", {}).writesHost],
      [true, false],
    );
  });
});
