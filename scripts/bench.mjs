// npm run bench: sets up, builds, then runs bench/NAME.ts for each name on the line, bench/main.ts without any.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inWords, setup } from "./setup.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

await inWords(async () => {
  setup("bench");
  const { build } = await import("./build.mjs");
  await build({ tests: true });
  const words = process.argv.slice(2);
  const main = join(root, "build/bench/main.js");
  if (!existsSync(main)) throw new Error("there is no bench/main.ts");
  const env = { ...process.env };
  // It doubles the start-up of every Node process, ours and the yardstick's.
  delete env.NODE_EXTRA_CA_CERTS;
  const { status } = spawnSync(process.execPath, [main, ...words], { cwd: root, env, stdio: "inherit" });
  process.exitCode = status ?? 1;
});
