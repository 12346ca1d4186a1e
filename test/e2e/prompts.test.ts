/** What is asked on the terminal, by the program itself on a pseudo-terminal: the passphrase of `sign`, the review of `trust`. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { program, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const passphrase = "correct horse battery staple";
let fingerprint = "";
let image = "";

before(() => {
  const generate = ["key", "generate", "--name", "Signer", "--email", "s@example.com", "--format", "json"];
  ({ fingerprint } = JSON.parse(work.must(generate, { env: { PERIGEE_PASSPHRASE: passphrase } })));
  work.must(["key", "export", fingerprint, "--output", work.path("key.asc")]);
  image = work.image("example.com/web");
});
after(() => work.close());

/** `perigee ARGS…` on a terminal, where `keys` are typed once `prompt` is there. */
function onTerminal(
  args: readonly string[],
  prompt: RegExp,
  keys: string,
): Promise<{ readonly status: number; readonly shown: string }> {
  const words = [program, ...work.globals, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  const child = work.startCommand(["script", "-qec", words.join(" "), "/dev/null"], ["pipe", "pipe", "inherit"]);
  return new Promise((resolve, reject) => {
    let shown = "";
    let isTyped = false;
    child.stdout?.on("data", (bytes: Buffer) => {
      shown += bytes.toString("latin1");
      if (isTyped || !prompt.test(shown)) return;
      isTyped = true;
      child.stdin?.write(keys);
    });
    child.once("error", reject);
    child.once("close", (status) => resolve({ status: status ?? -1, shown }));
  });
}

/** Milliseconds: a question that never comes is a failure and no test without an end. */
const timeout = 120_000;

describe("perigee sign on a terminal", { timeout }, () => {
  const asked = /Passphrase of ([0-9a-f]{4} *){10}: /;
  const signature = (): string => `${image}.asc`;

  it("asks for the passphrase, does not show it, and signs", async () => {
    const { status, shown } = await onTerminal(["sign", image], asked, `${passphrase}\r`);
    assert.equal(status, 0, shown);
    assert.match(shown, asked);
    assert.ok(!shown.includes(passphrase) && !shown.includes("correct"), shown);
    assert.match(shown, /signed by/);
    work.must(["trust", "--root", "--fingerprint", fingerprint, work.path("key.asc")]);
    work.must(["verify", image]);
    work.must(["trust", "rm", fingerprint]);
  });
  it("refuses a wrong one, and ^C, and writes nothing", async () => {
    for (const [keys, words] of [
      ["wrong\r", /error\[PASSPHRASE_WRONG\]/],
      ["corr\u0003", /error\[INTERRUPTED\]/],
    ] as const) {
      const { status, shown } = await onTerminal(["sign", "--output", work.path("no.asc"), image], asked, keys);
      assert.ok(status > 0, shown);
      assert.match(shown, words);
      assert.ok(!existsSync(work.path("no.asc")));
    }
  });
  it("asks for nothing that it was given", async () => {
    const words = ["sign", "--overwrite", "--passphrase-file", "/dev/null", image];
    const { status, shown } = await onTerminal(words, asked, `${passphrase}\r`);
    assert.ok(status > 0, shown);
    assert.doesNotMatch(shown, asked);
    assert.ok(existsSync(signature()));
  });
});

describe("perigee trust on a terminal", { timeout }, () => {
  const question = /Do you trust this key\? \[y\/N\] /;
  const trust = (): readonly string[] => ["trust", "--prefix", "example.com", work.path("key.asc")];
  const isTrusted = (): boolean => work.perigee(["trust", "check", "example.com/web"]).status === 0;

  for (const no of ["no\n", "\n", "yess\n"]) {
    it(`shows the key, and stores it not on ${JSON.stringify(no)}`, async () => {
      const { status, shown } = await onTerminal(trust(), question, no);
      assert.equal(status, 4, shown);
      assert.match(shown, /error\[KEY_UNTRUSTED\]: no key was accepted/);
      assert.match(shown, /Signer <s@example\.com>/);
      assert.ok(shown.toLowerCase().replaceAll(" ", "").includes(fingerprint), shown);
      assert.equal(isTrusted(), false);
    });
  }
  it("stores it on yes, and asks no more", async () => {
    const { status, shown } = await onTerminal(trust(), question, "yes\n");
    assert.equal(status, 0, shown);
    assert.match(shown, /trusted for example\.com/);
    assert.equal(isTrusted(), true);
    const again = await onTerminal(trust(), question, "no\n");
    assert.equal(again.status, 0, again.shown);
    assert.doesNotMatch(again.shown, question);
  });
});
