/** What an image asks for itself does not lead out of its pod; the same asked by whoever runs it does what it says (ISO-1 to ISO-4). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { tableOf, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const corePattern = readFileSync("/proc/sys/kernel/core_pattern", "utf8");
const capabilities = ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_MODULE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"];
const isolator = (name: string, set: readonly string[]) => ({ name: `os/linux/${name}`, value: { set } });

/** What retains each thing that leads further: no filter at all, all calls by name, and only its own capabilities. */
const images = {
  "example.com/all": [
    isolator("capabilities-retain-set", capabilities),
    isolator("seccomp-retain-set", ["@appc.io/all"]),
  ],
  "example.com/named": [
    isolator("capabilities-retain-set", capabilities),
    isolator("seccomp-retain-set", ["@rkt/default-whitelist", "@rkt/default-blacklist", "ioctl", "socket", "clone"]),
  ],
  "example.com/empty": [isolator("seccomp-remove-set", ["@appc.io/empty"])],
} as const;

before(() => {
  for (const [name, isolators] of Object.entries(images)) work.stored(name, { exec: ["/guest"], isolators });
});
after(async () => {
  assert.equal(readFileSync("/proc/sys/kernel/core_pattern", "utf8"), corePattern);
  work.must(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

const verbs = [
  "privileges",
  ",",
  "try",
  ",",
  "open",
  "/proc/sys/kernel/core_pattern",
  "/proc/kcore",
  "/proc/interrupts",
];

for (const mode of ["yes", "no"]) {
  describe(`an image that asks for the host, --private-users=${mode}`, () => {
    for (const name of Object.keys(images)) {
      it(`${name}: has no more than appc's capabilities, a filter, and what is masked stays masked`, () => {
        const { status, stdout, stderr } = work.run([`--private-users=${mode}`, name, "--", ...verbs]);
        assert.equal(status, 0, stderr);
        const { CapBnd = "", Seccomp } = tableOf(stdout, "status");
        assert.equal(BigInt(`0x${CapBnd}`) & ~0xa80425fbn, 0n, CapBnd);
        assert.equal(Seccomp, "2");
        const tried = tableOf(stdout, "try");
        const open = Object.entries(tried).flatMap(([attempt, result]) => (result === "ok" ? [attempt] : []));
        const harmless = ["chroot", "setuid", "kill-parent", "ptrace-self"];
        assert.deepEqual(
          open.filter((attempt) => !harmless.includes(attempt)),
          [],
        );
        assert.deepEqual([tried["clone3"], tried["vsock"], tried["tiocsti"]], ["ENOSYS", "EAFNOSUPPORT", "EPERM"]);
        const opened = tableOf(stdout, "open");
        for (const path of ["/proc/sys/kernel/core_pattern", "/proc/interrupts"]) {
          assert.match(opened[path] ?? "", /,E(ROFS|ACCES)$/, path);
        }
        assert.match(opened["/proc/interrupts"] ?? "", /^empty/);
      });
    }

    it("what was cut is named before the start, and in the plan", () => {
      const { stderr } = work.run([`--private-users=${mode}`, "example.com/all", "--", "exit", "0"]);
      assert.match(stderr, /capabilities-retain-set is modified: .*CAP_SYS_MODULE.*--caps-retain/);
      assert.match(stderr, /seccomp-retain-set is modified: .*@appc\.io\/all.*--seccomp/);
      const named = work.run([`--private-users=${mode}`, "example.com/named", "--", "exit", "0"]).stderr;
      for (const call of ["bpf", "keyctl", "kexec_load", "open_by_handle_at", "mount"]) {
        assert.match(named, new RegExp(`seccomp-retain-set is modified: .*\\b${call}\\b`));
      }
      const plan = work.must(["--insecure-options=image", "plan", "example.com/all"]);
      assert.match(plan, /CAP_SYS_MODULE/);
    });
  });
}

describe("whoever runs it", () => {
  it("gives what is named", () => {
    const flags = [`--caps-retain=${capabilities.join(",")}`, "--seccomp=mode=retain,@appc.io/all"];
    const { stdout, stderr } = work.run(["example.com/all", ...flags, "--", "privileges", ",", "try", "umount"]);
    const { CapEff, Seccomp } = tableOf(stdout, "status");
    assert.deepEqual([CapEff, Seccomp, tableOf(stdout, "try")["umount"]], ["0000000000290006", "0", "ok"], stderr);
    assert.doesNotMatch(stderr, /is modified/);
  });
});
