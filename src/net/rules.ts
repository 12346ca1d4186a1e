/** What the built-in networks need of the host's packet filter: one table of our own for each bridge, replaced as a whole; no rule per pod (NET-15). */

import { spawn } from "node:child_process";
import { errnoOf, Failure } from "../base/failure.ts";
import { hostPath } from "../shim/background.ts";
import type { BuiltinNetwork } from "./builtin.ts";
import { rangeBits } from "./ranges.ts";

/** The ruleset for nft(8): in one transaction, whether the table is there or not. */
export function rulesOf({ bridge, range, isRestricted }: Omit<BuiltinNetwork, "list">): string {
  const [own4, own6] = [`${range.ipv4}/${rangeBits}`, `${range.ipv6}::/48`];
  const body = isRestricted
    ? [
        "chain forward { type filter hook forward priority filter; policy accept;",
        `  ip saddr ${own4} ip daddr != ${own4} drop`,
        `  ip6 saddr ${own6} ip6 daddr != ${own6} drop`,
        "}",
      ]
    : [
        "chain postrouting { type nat hook postrouting priority srcnat; policy accept;",
        `  ip saddr ${own4} ip daddr != { ${own4}, 224.0.0.0/4 } masquerade`,
        `  ip6 saddr ${own6} ip6 daddr != { ${own6}, ff00::/8 } masquerade`,
        "}",
      ];
  return [`table inet ${bridge} {}`, `delete table inet ${bridge}`, `table inet ${bridge} {`, ...body, "}", ""].join(
    "\n",
  );
}

/** @throws Failure NETWORK_FAILED, NOT_FOUND without nft */
export async function applyRules(network: Omit<BuiltinNetwork, "list">): Promise<void> {
  await nft(rulesOf(network));
}

/** A table that is gone is fine. */
export async function removeRules(bridges: readonly string[]): Promise<void> {
  await nft(bridges.map((bridge) => `table inet ${bridge} {}\ndelete table inet ${bridge}\n`).join(""));
}

async function nft(input: string): Promise<void> {
  const { status, stderr } = await runTool("nft", ["-f", "-"], input);
  if (status === 0) return;
  throw new Failure("NETWORK_FAILED", "nft refuses the rules of a built-in network", {
    cause: stderr.trim(),
    hint: "--net=none, --net=host, or a network of your own in net.d",
  });
}

export interface ToolResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Milliseconds. */
const toolTimeout = 30_000;

/** A program of the host's network tools, with nothing of the caller's environment. @throws Failure NOT_FOUND */
export async function runTool(program: string, args: readonly string[], input = ""): Promise<ToolResult> {
  const child = spawn(program, args, {
    env: { PATH: hostPath },
    cwd: "/",
    stdio: ["pipe", "pipe", "pipe"],
    timeout: toolTimeout,
    killSignal: "SIGKILL",
  });
  const texts = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (part: string) => (texts[0] += part));
  child.stderr.setEncoding("utf8").on("data", (part: string) => (texts[1] += part));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    return { status, stdout: texts[0] ?? "", stderr: texts[1] ?? "" };
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    throw new Failure("NOT_FOUND", `${program} is not installed, and the built-in networks need it`, {
      subject: program,
      hint: "install nftables and iptables; --net=none and --net=host need neither",
    });
  }
}
