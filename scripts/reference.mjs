// Writes docs/reference.md and docs/man/*.1 from the command table.
// Runs over build/, so `node scripts/build.mjs --tests` comes first.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = (name) => import(join(root, "build/src/cli", name));

async function loadCommands() {
  const { commands } = await built("commands/index.js");
  const loaded = [];
  for (const [, entry] of commands) loaded.push((await entry.load()).default);
  return loaded;
}

/** path below docs/ → content. */
export async function renderReference() {
  const { markdownReference, manPage, overviewPage } = await built("reference.js");
  const all = await loadCommands();
  const pages = new Map([
    ["reference.md", markdownReference(all)],
    ["man/perigee.1", overviewPage(all)],
  ]);
  for (const command of all) pages.set(`man/perigee-${command.name.replaceAll(" ", "-")}.1`, manPage(command));
  return pages;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const pages = await renderReference();
  rmSync(join(root, "docs/man"), { recursive: true, force: true });
  mkdirSync(join(root, "docs/man"), { recursive: true });
  for (const [name, text] of pages) writeFileSync(join(root, "docs", name), text);
}
