import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { askHelper } from "../../src/oci/credential-helper.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

/** A helper that is a shell script; asked for `r.test`. */
async function asked(
  context: TestContext,
  script: string,
  options: Partial<Parameters<typeof askHelper>[2]> = {},
  more: Readonly<Record<string, string>> = {},
) {
  const place = await temporaryDirectory(context);
  const path = join(place, "docker-credential-x");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  const environment = new Map([["PATH", `${place}:/usr/bin:/bin`], ...Object.entries(more)]);
  return { answer: askHelper("x", "r.test", { environment, ...options }) };
}

const answering = (user: string, secret: string): string =>
  `echo '${JSON.stringify({ ServerURL: "r.test", Username: user, Secret: secret })}'`;

describe("OCI-65: credential helpers", () => {
  it("are asked for the server on standard input", async (context) => {
    const script = `test "$1" = get && read server && test "$server" = r.test && ${answering("me", "geheim")}`;
    assert.deepEqual(await (await asked(context, script)).answer, { user: "me", password: "geheim" });
  });
  it("that know nothing say so in docker's words, or with nothing", async (context) => {
    for (const script of ["echo credentials not found in native keychain; exit 1", answering("", "")]) {
      assert.equal(await (await asked(context, script)).answer, undefined);
    }
  });
  const wrong: readonly (readonly [string, string, Parameters<typeof fails>[0]])[] = [
    ["one that fails", "echo geheim; exit 3", "NOT_AUTHORISED"],
    ["one that is killed", "kill -9 $$", "NOT_AUTHORISED"],
    ["no JSON", "echo geheim", "NOT_AUTHORISED"],
    ["no object", "echo '[\"geheim\"]'", "NOT_AUTHORISED"],
    ["no secret", 'echo \'{"Username":"geheim"}\'', "NOT_AUTHORISED"],
    ["a user that would end the header", answering("a\\nb", "geheim"), "NOT_AUTHORISED"],
    ["an identity token", answering("<token>", "geheim"), "UNSUPPORTED"],
    ["more than anybody needs", "yes geheim", "LIMIT_EXCEEDED"],
  ];
  for (const [why, script, code] of wrong) {
    it(`${why} is told as that, without what was said`, async (context) => {
      const { answer } = await asked(context, script);
      await assert.rejects(answer, (error) => fails(code)(error) && !String(error).includes("geheim"));
    });
  }
  it("one that hangs is ended, whatever it started holds its output open", async (context) => {
    const { answer } = await asked(context, "sleep 1000 & sleep 1000", { timeoutMs: 300 });
    await assert.rejects(answer, fails("TIMED_OUT"));
  });
  it("are ended when the work is interrupted", async (context) => {
    const stop = new AbortController();
    const { answer } = await asked(context, "exec sleep 1000", { signal: stop.signal });
    stop.abort();
    await assert.rejects(answer, fails("INTERRUPTED"));
  });
  it("TRUST-33: are not told the passphrase of a signing key", async (context) => {
    const script = `echo "{\\"Username\\":\\"\${OTHER-}\\",\\"Secret\\":\\"\${PERIGEE_PASSPHRASE-unset}\\"}"`;
    const more = { PERIGEE_PASSPHRASE: "geheim", OTHER: "me" };
    assert.deepEqual(await (await asked(context, script, {}, more)).answer, { user: "me", password: "unset" });
  });
  it("one that cannot be started for want of descriptors is told as that", async (context) => {
    const place = await temporaryDirectory(context);
    writeFileSync(join(place, "docker-credential-x"), "#!/bin/sh\n", { mode: 0o755 });
    const module = new URL("../../src/oci/credential-helper.js", import.meta.url).href;
    const script = `
      import { openSync } from "node:fs";
      const { askHelper } = await import(${JSON.stringify(module)});
      const environment = new Map([["PATH", ${JSON.stringify(place)}]]);
      try { for (;;) openSync("/dev/null"); } catch {}
      await askHelper("x", "r.test", { environment }).catch(({ code, cause }) => {
        process.stdout.write(code + " " + cause.code);
      });`;
    const limited = ["-c", 'ulimit -n 128; exec "$0" --input-type=module -e "$1"', process.execPath, script];
    const { stdout, stderr } = spawnSync("sh", limited, { encoding: "utf8", timeout: 60_000 });
    assert.equal(stdout, "NOT_AUTHORISED EMFILE", stderr);
  });
  it("have names that are no paths, and lie in a directory that PATH names by its whole path", async (context) => {
    const environment = new Map([["PATH", ".:bin:/usr/bin"]]);
    for (const name of ["../x", "a/b", "", ".x", "a b", "x".repeat(65)]) {
      await assert.rejects(askHelper(name, "r.test", { environment }), fails("CONFIG_INVALID"), name);
    }
    const place = await temporaryDirectory(context);
    writeFileSync(join(place, "docker-credential-here"), "#!/bin/sh\n", { mode: 0o755 });
    const before = process.cwd();
    process.chdir(place);
    try {
      await assert.rejects(askHelper("here", "r.test", { environment }), fails("NOT_FOUND"));
    } finally {
      process.chdir(before);
    }
  });
});
