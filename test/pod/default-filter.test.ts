import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { capabilityNames, decideCapabilities } from "../../src/pod/capabilities.ts";
import { storedFilter } from "../../src/pod/default-filter.ts";
import { defaultPolicy } from "../../src/pod/default-policy.ts";
import { compileSeccomp } from "../../src/pod/seccomp.ts";

const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString("hex");

describe("storedFilter", () => {
  for (const architecture of ["x64", "arm64"] as const) {
    it(`is what the compiler makes for ${architecture} (if not: npx tsc && node scripts/default-filter.mjs)`, () => {
      for (const noNewPrivileges of [true, false]) {
        const capabilities = decideCapabilities({ noNewPrivileges, unrestricted: false });
        for (const writesHost of [true, false]) {
          const compiled = compileSeccomp(defaultPolicy({ capabilities, writesHost }), architecture);
          assert.equal(hex(storedFilter({ capabilities, writesHost }, architecture)), hex(compiled));
        }
      }
    });

    it(`is never another filter than compiled, whatever one capability is added, ${architecture}`, () => {
      const capabilities = decideCapabilities({ noNewPrivileges: true, unrestricted: false });
      for (const name of capabilityNames) {
        const more = [...new Set([...capabilities, name])];
        for (const writesHost of [true, false]) {
          const app = { capabilities: more, writesHost };
          const stored = storedFilter(app, architecture);
          if (stored === undefined) continue;
          assert.equal(hex(stored), hex(compileSeccomp(defaultPolicy(app), architecture)), name);
        }
      }
    });
  }

  it("there is none for a set without chroot, or with something that opens calls", () => {
    assert.equal(storedFilter({ capabilities: [], writesHost: false }, "x64"), undefined);
    assert.equal(storedFilter({ capabilities: ["CAP_CHOWN"], writesHost: false }, "x64"), undefined);
    assert.equal(
      storedFilter({ capabilities: ["CAP_SYS_CHROOT", "CAP_NET_RAW"], writesHost: false }, "x64"),
      undefined,
    );
    assert.equal(
      storedFilter({ capabilities: ["CAP_SYS_CHROOT", "CAP_SYS_ADMIN"], writesHost: false }, "x64"),
      undefined,
    );
  });
});
