/** What plugins leave in iptables' tables, by their text: chains without rules, and rules of pods that are gone. The plans are pure. */
import { Failure } from "../base/failure.ts";
import { runTool } from "./rules.ts";

interface Table {
  readonly name: string;
  readonly chains: readonly string[];
  readonly rules: readonly { readonly chain: string; readonly text: string; readonly target: string | undefined }[];
}

/** The output of iptables-save. */
export function parseTables(text: string): readonly Table[] {
  return text
    .split(/^\*/m)
    .slice(1)
    .map((part) => {
      const lines = part.split("\n");
      const rules = lines.flatMap((line) => {
        const match = /^-A (\S+) (.*)$/.exec(line);
        if (match?.[1] === undefined || match[2] === undefined) return [];
        return [{ chain: match[1], text: match[2], target: /(?:^| )-[jg] (\S+)/.exec(match[2])?.[1] }];
      });
      return {
        name: lines[0] ?? "",
        chains: lines.flatMap((line) => /^:(\S+) -/.exec(line)?.[1] ?? []),
        rules,
      };
    });
}

/** Input for iptables-restore --noflush that takes these away; empty: nothing is to be done. */
export type Sweep = (saved: string) => string;

/** Rules whose comment names the pod, and the chains that only they lead to (NET-21). */
export function orphanRules(saved: string, uuid: string): string {
  return sweepOf(saved, ({ rules, chains }) => {
    const own = rules.filter(({ text }) => text.includes(`id: \\"${uuid}\\"`));
    const targets = own.map(({ target }) => target).filter((name) => name !== undefined);
    const private_ = chains.filter((chain) => targets.includes(chain) && /^CNI-/.test(chain) && !isShared(chain));
    const others = rules.filter((rule) => !own.includes(rule) && !private_.includes(rule.chain));
    const unused = private_.filter((chain) => !others.some(({ target }) => target === chain));
    return { rules: own.filter(({ chain }) => !unused.includes(chain)), chains: unused };
  });
}

function isShared(chain: string): boolean {
  return ["CNI-FORWARD", "CNI-ADMIN", "CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-MASQ", "CNI-HOSTPORT-SETMARK"].includes(chain);
}

/** Chains of the CNI plugins that hold no rule of any pod, whoever's pods those are, and the jumps to them (NET-22). */
export function emptyChains(saved: string): string {
  return sweepOf(saved, ({ rules, chains }) => {
    let candidates = chains.filter((chain) => /^CNI-/.test(chain));
    // What a chain holds counts, unless it leads to another that goes, or is one of the fixed rules of portmap's own.
    const holds = (chain: string) =>
      rules.some(
        (rule) =>
          rule.chain === chain && !(rule.target !== undefined && candidates.includes(rule.target)) && !isFixed(rule),
      );
    for (let before = -1; before !== candidates.length; ) {
      before = candidates.length;
      candidates = candidates.filter((chain) => !holds(chain));
    }
    // portmap's three belong together: where one is in use, so are the others.
    const portmap = ["CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-MASQ", "CNI-HOSTPORT-SETMARK"];
    if (chains.includes(portmap[0] ?? "") && !candidates.includes(portmap[0] ?? "")) {
      candidates = candidates.filter((chain) => !portmap.includes(chain));
    }
    const jumps = rules.filter(
      ({ chain, target }) => target !== undefined && candidates.includes(target) && !candidates.includes(chain),
    );
    return { rules: jumps, chains: candidates };
  });
}

function isFixed({ chain, text }: { readonly chain: string; readonly text: string }): boolean {
  return /^CNI-HOSTPORT-(?:MASQ|SETMARK)$/.test(chain) && /-j (?:MASQUERADE|MARK)\b/.test(text);
}

function sweepOf(
  saved: string,
  choose: (table: Table) => { readonly rules: Table["rules"]; readonly chains: readonly string[] },
): string {
  return parseTables(saved)
    .map((table) => {
      const { rules, chains } = choose(table);
      if (rules.length === 0 && chains.length === 0) return "";
      return [
        `*${table.name}`,
        ...rules.map(({ chain, text }) => `-D ${chain} ${text}`),
        ...chains.map((chain) => `-F ${chain}`),
        ...chains.map((chain) => `-X ${chain}`),
        "COMMIT\n",
      ].join("\n");
    })
    .join("");
}

/** Both families. Where iptables is not installed no plugin made anything. @throws Failure NETWORK_FAILED */
export async function sweepTables(sweep: Sweep): Promise<void> {
  await Promise.all(["iptables", "ip6tables"].map((program) => sweepFamily(program, sweep)));
}

async function sweepFamily(program: string, sweep: Sweep): Promise<void> {
  let saved: string;
  try {
    saved = (await runTool(`${program}-save`, [])).stdout;
  } catch (error) {
    if (error instanceof Failure && error.code === "NOT_FOUND") return;
    throw error;
  }
  const input = sweep(saved);
  if (input === "") return;
  const { status, stderr } = await runTool(`${program}-restore`, ["--noflush", "--wait"], input);
  if (status === 0) return;
  throw new Failure("NETWORK_FAILED", `${program}-restore cannot take away what a plugin left`, {
    cause: stderr.trim(),
    hint: "perigee gc tries again",
  });
}
