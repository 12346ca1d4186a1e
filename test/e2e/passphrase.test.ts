/** TRUST-33: whatever perigee starts, the passphrase of a signing key is neither in its arguments nor in its environment. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { imageManifest, type Outcome, project, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const passphrase = "correct horse battery staple";
const records = work.path("records");

/** A program beside the real one that writes down how it was called, and then becomes the real one. */
function record(path: string, real: string): void {
  const script = `#!/bin/sh
{ printf '<%s ' "\${0##*/}"; tr '\\0' ' ' < /proc/$$/cmdline; echo; tr '\\0' '\\n' < /proc/$$/environ; echo '>'; } >> ${records}
exec ${real} "$@"
`;
  writeFileSync(path, script);
  chmodSync(path, 0o755);
}

before(() => {
  // The program as it is built, with recorders in the place of what it starts: the shim, gpg, and itself a second time.
  const dist = work.path("dist");
  cpSync(join(project, "dist"), dist, { recursive: true });
  symlinkSync(join(project, "node_modules"), work.path("node_modules"));
  renameSync(join(dist, "perigee-shim"), join(dist, "real-shim"));
  record(join(dist, "perigee-shim"), join(dist, "real-shim"));
  mkdirSync(work.path("bin"));
  record(work.path("bin", "gpg"), execFileSync("sh", ["-c", "command -v gpg"], { encoding: "utf8" }).trim());
  const main = join(dist, "perigee.cjs");
  const second = `if (process.ppid !== ${process.pid}) {
  const lines = ["<perigee " + process.argv.join(" "), ...Object.entries(process.env).map((pair) => pair.join("=")), ">"];
  require("node:fs").appendFileSync(${JSON.stringify(records)}, lines.join("\\n") + "\\n");
}
`;
  writeFileSync(main, readFileSync(main, "utf8").replace('"use strict";', `"use strict";\n${second}`));
  mkdirSync(work.path("gnupg"), { mode: 0o700 });
  const quick = ["--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "g@example.com", "ed25519", "sign"];
  execFileSync("gpg", quick, { env: work.env, stdio: "ignore" });
  writeFileSync(work.path("manifest.json"), JSON.stringify(imageManifest("example.com/secret", { exec: ["/guest"] })));
  work.rootfs("rootfs");
  writeFileSync(work.path("recipe.yaml"), "name: example.com/made\nbase: ./web.aci\nsteps:\n  - run: [/guest, cwd]\n");
});
after(async () => {
  execFileSync("gpgconf", ["--kill", "all"], { env: work.env, stdio: "ignore" });
  work.must(["gc", "--grace-period=0s", "--expire-layers=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

/** Runs the copy as a caller who has set the passphrase. */
function perigee(...words: readonly string[]): Outcome {
  const env = { PERIGEE_PASSPHRASE: passphrase, PATH: `${work.path("bin")}:${process.env["PATH"] ?? ""}` };
  return work.command([work.path("dist", "perigee"), ...work.globals, "--insecure-options=image", ...words], { env });
}
const must = (...words: readonly string[]): string => {
  const { status, stdout, stderr } = perigee(...words);
  assert.equal(status, 0, `${words.join(" ")}: ${stderr}`);
  return stdout;
};
/** What was started since it was asked last, one text each. */
function started(): readonly string[] {
  const all = readFileSync(records, "utf8").split(/^>$/m);
  rmSync(records);
  return all.map((one) => one.trim()).filter(Boolean);
}
function assertUntold(programs: readonly string[], ...expected: readonly string[]): void {
  const names = new Set(programs.map((one) => /^<(\S+)/.exec(one)?.[1] ?? ""));
  assert.deepEqual([...names].sort(), [...expected].sort());
  for (const one of programs) assert.ok(!one.includes(passphrase) && !one.includes("PERIGEE_PASSPHRASE"), one);
}

describe("TRUST-33: the passphrase", () => {
  const build = ["build", "--overwrite", "--manifest", "manifest.json", "--rootfs", "rootfs"];
  it("is not told to the shim or to a second perigee by build", () => {
    must(...build, "--check", "web.aci");
    assertUntold(started(), "perigee", "perigee-shim");
  });
  it("is not told to gpg by sign, nor to anybody by the commands that use it", () => {
    must("key", "generate", "--name", "A", "--email", "a@example.com");
    must("sign", "web.aci");
    must("sign", "--append", "--gpg", "g@example.com", "web.aci");
    assertUntold(started(), "gpg");
    assert.match(readFileSync(work.path("web.aci.asc"), "utf8"), /BEGIN PGP SIGNATURE/);
  });
  it("is not told by fetch, extract, a recipe and its commands", () => {
    must("fetch", "./web.aci");
    must("image", "extract", "./web.aci", "extracted");
    must("build", "-f", "recipe.yaml", "made.aci");
    assertUntold(started(), "perigee-shim");
  });
  it("is not told to an app, not even with --inherit-env", () => {
    const told = must("run", "--inherit-env", "example.com/secret", "--", "env");
    assert.match(told, /^env\.GNUPGHOME=/m, "what else there is, is inherited");
    assert.ok(!told.includes(passphrase) && !told.includes("PERIGEE_PASSPHRASE"), told);
    assertUntold(started(), "perigee-shim");
    const [pod] = work.pods();
    const known = work.command(["grep", "-rlF", passphrase, work.data]);
    assert.deepEqual([known.status, known.stdout], [1, ""], `nothing about ${pod?.uuid} holds it`);
  });
});
