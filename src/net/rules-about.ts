/** Rules of the host's packet filter that are about one pod: by its uuid, its addresses, or the table of its bridge. */
import { Failure } from "../base/failure.ts";
import type { Attachment } from "./chain.ts";
import { runTool } from "./rules.ts";

export interface RuleFound {
  readonly madeBy: string;
  readonly rule: string;
}

/** What cannot be asked, because the tool is not installed, is not there. */
export async function rulesAbout(
  uuid: string,
  attachments: readonly Attachment[],
  networks: readonly { readonly addresses: readonly { readonly address: string }[] }[],
): Promise<readonly RuleFound[]> {
  const addresses = networks.flatMap((network) => network.addresses.map(({ address }) => address.split("/")[0] ?? ""));
  const bridges = attachments.filter(({ list }) => list.file === undefined).map(({ list }) => bridgeOf(list.plugins));
  const tables = bridges.map(async (bridge) =>
    tableRules(bridge, await outputOf("nft", ["list", "table", "inet", bridge])),
  );
  const saved = ["iptables-save", "ip6tables-save"].map(async (tool) =>
    pluginRules(await outputOf(tool, []), uuid, addresses),
  );
  return (await Promise.all([...tables, ...saved])).flat();
}

function bridgeOf(plugins: Attachment["list"]["plugins"]): string {
  return String(plugins[0]?.fields["bridge"] ?? "");
}

async function outputOf(program: string, args: readonly string[]): Promise<string> {
  try {
    return (await runTool(program, args)).stdout;
  } catch (error) {
    if (error instanceof Failure && error.code === "NOT_FOUND") return "";
    throw error;
  }
}

/** The rules of a table as nft shows it: what is neither a chain nor its declaration. */
export function tableRules(bridge: string, text: string): readonly RuleFound[] {
  const lines = text.split("\n").map((line) => line.trim());
  const rules = lines.filter((line) => line !== "" && !/^(?:table|chain|type|\})/.test(line));
  return rules.map((rule) => ({ madeBy: `perigee, table inet ${bridge}`, rule }));
}

/** Rules of iptables-save that name the pod, in a comment or by an address. */
export function pluginRules(text: string, uuid: string, addresses: readonly string[]): readonly RuleFound[] {
  return text
    .split("\n")
    .filter((line) => /^-A /.test(line))
    .filter((line) => {
      const words = line.split(/[\s"/[\]\\]+|:(?=\d+(?:\s|$))/);
      return words.includes(uuid) || addresses.some((address) => words.includes(address));
    })
    .map((rule) => ({ madeBy: "network plugins, by iptables", rule }));
}
