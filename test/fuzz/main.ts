/** A long run: `npm run fuzz -- [--seconds N] [--seed N] [TARGET…]`. An input that crashes a reader is kept in test/fuzz/corpus. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { freshSeed } from "../helpers/random.ts";
import { fuzz } from "./run.ts";
import { inputOf, targets } from "./targets.ts";

const { values, positionals } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string" } },
  allowPositionals: true,
});
const names = positionals.length > 0 ? positionals : Object.keys(targets);
const seed = values.seed === undefined ? freshSeed() : Number(values.seed);
const milliseconds = (Number(values.seconds) * 1000) / names.length;

for (const name of names) {
  const { rounds, crash } = await fuzz(name, { seed, rounds: 2 ** 31 - 1, milliseconds });
  process.stdout.write(`${name}: ${rounds} rounds, seed ${seed}${crash === undefined ? "" : ", CRASH"}\n`);
  if (crash === undefined) continue;
  process.exitCode = 1;
  process.stdout.write(`round ${crash.round}: ${crash.why}\n`);
  if (crash.round < 0) continue;
  const input = inputOf(name, seed, crash.round);
  const file = `${createHash("sha256").update(input).digest("hex").slice(0, 16)}.bin`;
  writeFileSync(new URL(`../../../test/fuzz/corpus/${name}/${file}`, import.meta.url), input);
  process.stdout.write(`kept as test/fuzz/corpus/${name}/${file}\n`);
}
