/** perigee store check */
import { checkStatus, checkStore, type StoreFinding } from "../../api/check-store.ts";
import { defineCommand } from "../command.ts";
import { formatTable, humanSize } from "../tables.ts";

export default defineCommand({
  name: "store check",
  summary: "Check that the store is whole, and mend what is not",
  description:
    "Reads every archive and compares it with its digest, every tree with one rendered anew, every entry of the index, manifest and mark with its own digest, and names what belongs to nothing. " +
    "With --repair trees, manifests and entries of the index are made anew from the archives, what cannot be is put aside into quarantine/ of the store, and what nobody needs is removed. What a pod uses stays as it is. " +
    "An image whose entry had to be made anew counts as unsigned until it is fetched again.",
  options: [
    ["--repair", "mend what can be mended"],
    ["--quick", "do not read archives and trees"],
  ],
  examples: ["perigee store check", "perigee store check --repair", "perigee store check --quick --format json"],
  notes: [
    "0: nothing is damaged, or all of it was mended; what only takes space is named, and no damage",
    "5: something is not what was stored, and was left or put aside",
    "6: a pod uses what is damaged",
  ],
  run: ({ options, settings, signal }) =>
    checkStore(settings, { repair: options.flag("repair"), quick: options.flag("quick"), signal }),
  text: ({ store, images, archives, bytes, findings }) => {
    const read = archives === 0 ? "" : `, ${archives} archives read (${humanSize(bytes)})`;
    const damaged = findings.filter(({ damage }) => damage).length;
    const summary = `${store}: ${images} images${read}; ${damaged} damaged, ${findings.length - damaged} left over`;
    if (findings.length === 0) return [summary];
    const table = formatTable(
      ["WHAT", "OUTCOME", "PATH", "PROBLEM"],
      findings.map(({ kind, outcome, path, problem }) => [kind, outcome, shortened(path), problem]),
    );
    return [...table, ...advice(findings), summary];
  },
  status: checkStatus,
});

/** Digests make paths that no line has room for; --format json has them whole. */
function shortened(path: string): string {
  return path.replace(/[0-9a-f]{128}/g, (digest) => `${digest.slice(0, 12)}…`);
}

function advice(findings: readonly StoreFinding[]): readonly string[] {
  return [...new Set(findings.flatMap((finding) => finding.advice ?? []))].map((line) => `  try: ${line}`);
}
