// npm test: sets up, builds, runs every test (or the files named on the line) and fails on a skip that test/expected-skips.json does not list.
//   node scripts/test.mjs [test/folder | test/folder/file.test.ts]… [--test-…]
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { inWords, setup } from "./setup.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** build/test/a/b.test.js for test/a/b.test.ts; everything below a folder; everything when nothing is named. */
function testFiles(names) {
  const wanted = names.length === 0 ? ["test"] : names;
  return wanted.flatMap((name) => {
    const compiled = join(root, "build", relative(root, resolve(name)).replace(/\.ts$/, ".js"));
    if (!existsSync(compiled)) throw new Error(`there is no test ${name}`);
    return compiled.endsWith(".js") ? [compiled] : filesBelow(compiled);
  });
}

function filesBelow(directory) {
  const names = readdirSync(directory, { recursive: true });
  return names
    .filter((name) => name.endsWith(".test.js"))
    .sort()
    .map((name) => join(directory, name));
}

function unexpectedSkips(report) {
  const expected = new Set(JSON.parse(readFileSync(join(root, "test/expected-skips.json"), "utf8")));
  const skipped = readFileSync(report, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return skipped.filter((name) => !expected.has(name));
}

await inWords(async () => {
  setup("test");
  const { build } = await import("./build.mjs");
  await build({ tests: true });
  const words = process.argv.slice(2);
  const flags = words.filter((word) => word.startsWith("--"));
  const files = testFiles(words.filter((word) => !word.startsWith("--")));
  const scratch = mkdtempSync(join(tmpdir(), `perigee-test-${process.pid}-`));
  try {
    const report = join(scratch, "skips");

    const env = { ...process.env };
    // Node would parse the certificates again in each of the hundreds of processes; tests that need the variable set it.
    delete env.NODE_EXTRA_CA_CERTS;
    const line = [
      "--test",
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      `--test-reporter=${join(root, "scripts/skip-reporter.mjs")}`,
      `--test-reporter-destination=${report}`,
      ...flags,
      ...files,
    ];
    const { status } = spawnSync(process.execPath, line, { cwd: root, env, stdio: "inherit" });
    process.exitCode = status ?? 1;
    const unexpected = existsSync(report) ? unexpectedSkips(report) : [];
    if (unexpected.length > 0) throw new Error(`unexpected skips:\n${unexpected.join("\n")}`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});
