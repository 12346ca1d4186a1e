/** Listing many pods that have ended: one that was run for real, and copies of it under uuids of their own. */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { alternate, type Command } from "./measure.ts";
import { type Context, type Row, timingRow } from "./rows.ts";

const podCount = 500;

/** @param data a data directory with one pod at least that has ended */
export function listing({ program, work }: Context, data: string): readonly Row[] {
  const many = join(work, "pods-listed");
  const [uuid = ""] = readdirSync(join(data, "pods", "run"));
  const run = join(many, "pods", "run");
  cpSync(join(data, "pods", "run", uuid), join(run, uuid), { recursive: true });
  const record = readFileSync(join(run, uuid, "record"), "utf8");
  for (let count = 1; count < podCount; count += 1) {
    const other = randomUUID();
    cpSync(join(run, uuid), join(run, other), { recursive: true });
    writeFileSync(join(run, other, "record"), record.replaceAll(uuid, other));
  }
  const list: Command = { name: "perigee", argv: [program, "--dir", many, "list"] };
  const listed = spawnSync(program, list.argv.slice(1), { encoding: "utf8" }).stdout.split("\n").length - 2;
  if (listed !== podCount) throw new Error(`${listed} pods are listed, not ${podCount}`);
  const node: Command = { name: "node -e 0", argv: [process.execPath, "-e", "0"] };
  const timings = alternate([list, node], 21);
  rmSync(many, { recursive: true });
  return [timingRow(`list, ${podCount} pods`, timings, [{ factor: 2.2, of: "node -e 0" }])];
}
