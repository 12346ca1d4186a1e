// Writes src/pod/default-filter.ts from the compiled policy: run after `npx tsc` when the tables or the default policy changed.
import { writeFileSync } from "node:fs";
import { decideCapabilities } from "../build/src/pod/capabilities.js";
import { defaultPolicy } from "../build/src/pod/default-policy.js";
import { compileSeccomp } from "../build/src/pod/seccomp.js";

const capabilities = decideCapabilities({ noNewPrivileges: true, unrestricted: false });
const lines = (architecture, writesHost) =>
  Buffer.from(compileSeccomp(defaultPolicy({ capabilities, writesHost }), architecture))
    .toString("base64")
    .match(/.{1,116}/g)
    .map((line) => `  ${line}`)
    .join("\n");

writeFileSync(
  new URL("../src/pod/default-filter.ts", import.meta.url),
  `/**
 * The default system call filter, compiled: nearly every app has it, and compiling costs milliseconds of every start.
 * Made by scripts/default-filter.mjs; a test compares it with the compiler's result.
 */
import type { FilteredApp } from "./default-policy.ts";
import type { SeccompArchitecture } from "./seccomp.ts";

/** struct sock_filter arrays in base64, for a set of capabilities that has CAP_SYS_CHROOT and opens nothing else. */
const filters: Readonly<Record<SeccompArchitecture, string>> = {
  x64: \`
${lines("x64", false)}\`,
  arm64: \`
${lines("arm64", false)}\`,
};

/** The same for apps of a pod that writes to files of the host. */
const filtersOfWriters: Readonly<Record<SeccompArchitecture, string>> = {
  x64: \`
${lines("x64", true)}\`,
  arm64: \`
${lines("arm64", true)}\`,
};

/** Capabilities that no rule of the default policy asks for. */
const indifferent: ReadonlySet<string> = new Set([
  ...["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
  ...["CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID"],
]);

/** What compileSeccomp(defaultPolicy(app)) would give, if it is stored for such capabilities. */
export function storedFilter(
  { capabilities, writesHost }: FilteredApp,
  architecture: SeccompArchitecture,
): Uint8Array | undefined {
  const others = capabilities.filter((name) => !indifferent.has(name));
  if (others.length !== 1 || others[0] !== "CAP_SYS_CHROOT") return undefined;
  return Buffer.from((writesHost ? filtersOfWriters : filters)[architecture], "base64");
}
`,
);
