/** What a compiled filter says to a call by its name, and the apps that the tests of filters are about. */
import assert from "node:assert/strict";
import { decideCapabilities } from "../../src/pod/capabilities.ts";
import { defaultPolicy } from "../../src/pod/default-policy.ts";
import { compileSeccomp } from "../../src/pod/seccomp.ts";
import { type SyscallAbi, syscallNumbers } from "../../src/pod/syscalls.ts";
import { auditArch, runSeccomp, verdictOf } from "./bpf.ts";

export const ordinary = decideCapabilities({ noNewPrivileges: true, unrestricted: false });
export const confined = { capabilities: ordinary, writesHost: false, noNewPrivileges: true };
export const writer = { ...confined, writesHost: true };

export const x64 = compileSeccomp(defaultPolicy(confined), "x64");
export const arm64 = compileSeccomp(defaultPolicy(confined), "arm64");

export const eperm = "errno 1";
export const enosys = "errno 38";

export function verdict(
  program: Uint8Array,
  abi: SyscallAbi,
  name: string,
  ...values: readonly (number | bigint)[]
): string {
  const number = syscallNumbers(abi).get(name);
  assert.ok(number !== undefined, `${name} of ${abi}`);
  return verdictOf(runSeccomp(program, { arch: auditArch[abi], number, arguments: values.map(BigInt) }));
}
