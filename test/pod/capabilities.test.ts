import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import {
  boundToAppc,
  capabilitiesOf,
  capabilityNames,
  decideCapabilities,
  fileMarkCapabilities,
} from "../../src/pod/capabilities.ts";
import { fails } from "../helpers/failures.ts";

const base = { noNewPrivileges: true, unrestricted: false };

describe("capabilityNames", () => {
  it("are in the order of the kernel's numbers, at least to the last one it has", () => {
    const last = Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));
    assert.ok(capabilityNames.length > last);
    const header = "/usr/include/linux/capability.h";
    if (!existsSync(header)) return;
    for (const [, name = "", number] of readFileSync(header, "utf8").matchAll(/^#define (CAP_\w+)\s+(\d+)$/gm)) {
      if (name !== "CAP_LAST_CAP") assert.equal(capabilityNames[Number(number)], name);
    }
  });
});

describe("decideCapabilities", () => {
  it("gives 9 by default, 11 where programs may gain privileges (security 4.2)", () => {
    const nine = decideCapabilities(base);
    assert.deepEqual(nine, [
      ...["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"],
      ...["CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT"],
    ]);
    const eleven = decideCapabilities({ ...base, noNewPrivileges: false });
    assert.deepEqual(
      eleven.filter((name) => !nine.includes(name)),
      ["CAP_SETPCAP", "CAP_SETFCAP"],
    );
  });

  it("ACE-38: a remove-set starts from the 14 of the specification, in either mode", () => {
    const fourteen =
      "AUDIT_WRITE CHOWN DAC_OVERRIDE FSETID FOWNER KILL MKNOD NET_RAW NET_BIND_SERVICE SETUID SETGID SETPCAP SETFCAP SYS_CHROOT";
    for (const noNewPrivileges of [true, false]) {
      const left = decideCapabilities({ ...base, noNewPrivileges, remove: ["CAP_MKNOD", "CAP_SYS_ADMIN"] });
      const expected = fourteen.split(" ").filter((name) => name !== "MKNOD");
      assert.deepEqual(left.toSorted(), expected.map((name) => `CAP_${name}`).toSorted());
    }
  });

  it("ACE-39: a retain-set is exactly it, in the kernel's order", () => {
    const retain = ["CAP_SYS_ADMIN", "CAP_CHOWN", "CAP_SYS_ADMIN"];
    assert.deepEqual(decideCapabilities({ ...base, retain }), ["CAP_CHOWN", "CAP_SYS_ADMIN"]);
  });

  it("--insecure-options=capabilities keeps all", () => {
    assert.deepEqual(decideCapabilities({ ...base, retain: ["CAP_CHOWN"], unrestricted: true }), capabilityNames);
    const available = capabilitiesOf("0000000000000021");
    assert.deepEqual(decideCapabilities({ ...base, unrestricted: true, available }), ["CAP_CHOWN", "CAP_KILL"]);
  });

  it("names what it does not know", () => {
    for (const request of [{ retain: ["CAP_CHOWN", "CAP_FLY"] }, { remove: ["CAP_FLY"] }]) {
      assert.throws(() => decideCapabilities({ ...base, ...request }), fails("MANIFEST_INVALID", /CAP_FLY/));
    }
  });
});

describe("boundToAppc (ISO-2)", () => {
  it("keeps ACE-38's 14 and cuts every other capability there is", () => {
    const { kept, cut } = boundToAppc(capabilityNames);
    assert.equal(kept.length, 14);
    assert.deepEqual([...kept, ...cut].toSorted(), capabilityNames.toSorted());
    for (const name of ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_MODULE", "CAP_NET_ADMIN", "CAP_BPF"]) {
      assert.ok(cut.includes(name), name);
    }
  });

  it("leaves unknown names to be refused", () =>
    assert.deepEqual(boundToAppc(["CAP_X"]), { kept: ["CAP_X"], cut: [] }));
});

describe("fileMarkCapabilities (ISO-6)", () => {
  it("are names of capabilities", () => {
    assert.deepEqual(
      fileMarkCapabilities.filter((name) => !capabilityNames.includes(name)),
      [],
    );
  });
});
