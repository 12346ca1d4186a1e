import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { isSyscall, syscallNumbers } from "../../src/pod/syscalls.ts";

/** name → number of `#define __NR_name number` lines. */
function defined(path: string): ReadonlyMap<string, number> {
  const lines = readFileSync(path, "utf8").matchAll(/^#define __NR_(\w+) (\d+)$/gm);
  return new Map([...lines].map(([, name = "", number]) => [name, Number(number)]));
}

const include = ["/usr/include/x86_64-linux-gnu/asm", "/usr/include/asm"].find((path) =>
  existsSync(`${path}/unistd_64.h`),
);

describe("syscallNumbers", () => {
  it("agrees with the kernel headers of this machine", () => {
    const compared = [
      [`${include}/unistd_64.h`, "x86_64"],
      [`${include}/unistd_32.h`, "i386"],
      ["/usr/include/asm-generic/unistd.h", "aarch64"],
    ] as const;
    for (const [path, abi] of compared) {
      if (!existsSync(path)) continue;
      const numbers = syscallNumbers(abi);
      for (const [name, number] of defined(path)) {
        // The generic header also defines what 64-bit machines do not have.
        if (abi === "aarch64" && !numbers.has(name)) assert.match(name, /64|syscalls|arch_specific|sync_file_range2/);
        else assert.equal(numbers.get(name), number, `${abi} ${name}`);
      }
    }
  });

  it("knows the anchors of each ABI, to the newest", () => {
    const anchors: readonly (readonly ["x86_64" | "i386" | "aarch64", string, number])[] = [
      ["x86_64", "read", 0],
      ["x86_64", "execve", 59],
      ["x86_64", "rseq", 334],
      ["x86_64", "pidfd_send_signal", 424],
      ["x86_64", "file_setattr", 469],
      ["i386", "restart_syscall", 0],
      ["i386", "socketcall", 102],
      ["i386", "clock_gettime64", 403],
      ["i386", "file_setattr", 469],
      ["aarch64", "io_setup", 0],
      ["aarch64", "openat", 56],
      ["aarch64", "clone", 220],
      ["aarch64", "file_setattr", 469],
    ];
    for (const [abi, name, number] of anchors) assert.equal(syscallNumbers(abi).get(name), number, `${abi} ${name}`);
  });

  it("gives no number twice, in ascending order", () => {
    for (const abi of ["x86_64", "i386", "aarch64"] as const) {
      const numbers = [...syscallNumbers(abi).values()];
      assert.deepEqual(
        numbers,
        [...new Set(numbers)].toSorted((a, b) => a - b),
      );
    }
  });

  it("isSyscall takes a name of any of them", () => {
    assert.deepEqual(["openat", "socketcall", "newfstatat", "frobnicate"].map(isSyscall), [true, true, true, false]);
  });
});
