/**
 * npm run bench: this program and every peer that is installed, side by side in one run. After each group prints its
 * table and writes bench/results/latest.json, so that a run cut short keeps what it measured. A peer that is missing is named, not invented. Arguments: names of groups to run, else
 * all but those that run on request.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { archives, large } from "./archives.ts";
import { fetching } from "./fetch.ts";
import { images } from "./images.ts";
import { pods } from "./pods.ts";
import { type Context, type Row, renderRows } from "./rows.ts";
import { startup } from "./startup.ts";
import { store } from "./store.ts";

const groups = { startup, pods, images, archives, store, fetch: fetching, large } as const;
/** Takes minutes, and runs only when it is named. */
const onRequest: ReadonlySet<string> = new Set(["large"]);

async function main(): Promise<void> {
  const project = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
  const wanted = process.argv.slice(2);
  const work = mkdtempSync(join(tmpdir(), `perigee-bench-${process.pid}-`));
  // The ids that bench/bare.c maps must reach its directories.
  chmodSync(work, 0o755);
  const context: Context = {
    project,
    work,
    program: join(project, "dist", "perigee"),
    log: (line) => console.error(line),
  };
  const rows: Row[] = [];
  try {
    for (const [name, group] of Object.entries(groups)) {
      if (wanted.length > 0 ? !wanted.includes(name) : onRequest.has(name)) continue;
      context.log(`bench: ${name}`);
      const measured = await group(context);
      rows.push(...measured);
      report(project, rows, measured);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function report(project: string, all: readonly Row[], measured: readonly Row[]): void {
  const results = join(project, "bench", "results");
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, "latest.json"), `${JSON.stringify({ node: process.version, rows: all }, null, 2)}\n`);
  for (const line of renderRows(measured)) console.log(line);
}

await main();
