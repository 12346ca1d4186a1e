import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { typed } from "../../src/cli/ask.ts";

const module = join(dirname(fileURLToPath(import.meta.url)), "../../src/cli/ask.js");

describe("typed", () => {
  it("adds characters and takes them away", () => {
    assert.deepEqual(typed("ab", "c"), { line: "abc" });
    assert.deepEqual(typed("a𝔸", "\u007f"), { line: "a" });
    assert.deepEqual(typed("abc", "\u0015"), { line: "" });
  });
  it("ends on return and end of file, and is interrupted by ^C", () => {
    assert.deepEqual([typed("x", "\r").end, typed("x", "\n").end, typed("x", "\u0004").end], ["line", "line", "line"]);
    assert.equal(typed("x", "\u0003").end, "interrupt");
  });
});

/** Asks on a pseudo-terminal and types `keys` once the question is there; what the terminal showed. */
function onTerminal(secret: boolean, keys: string): Promise<string> {
  const code = `import { ask } from ${JSON.stringify(module)};
    ask({ question: "Word? ", secret: ${secret}, signal: new AbortController().signal })
      .then((answer) => console.log("answer=" + [...answer].reverse().join("")), (error) => console.log("code=" + error.code))
      .then(() => process.exit(0));`;
  const line = [process.execPath, "--input-type=module", "-e", code].map(
    (word) => `'${word.replaceAll("'", "'\\''")}'`,
  );
  const child = spawn("script", ["-qec", line.join(" "), "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
  return new Promise((resolve) => {
    let shown = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const wasAsked = shown.includes("Word?");
      shown += text;
      if (!wasAsked && shown.includes("Word?")) child.stdin.write(keys);
    });
    child.on("close", () => resolve(shown));
  });
}

describe("ask", () => {
  it("without a terminal there is no answer", () => {
    const code = `import { ask } from ${JSON.stringify(module)};
      console.log(String(await ask({ question: "?", secret: false, signal: new AbortController().signal })));`;
    const words = ["--input-type=module", "-e", code];
    assert.equal(spawnSync(process.execPath, words, { encoding: "utf8", input: "x\n" }).stdout, "undefined\n");
  });
  it("reads a line", async () => assert.match(await onTerminal(false, "tpyed\n"), /answer=deypt/));
  it("does not show a secret", async () => {
    const shown = await onTerminal(true, "secret\r");
    assert.match(shown, /answer=terces/);
    assert.ok(!shown.includes("secret"));
  });
  it("^C is an interruption, not an answer", async () =>
    assert.match(await onTerminal(true, "x\u0003"), /code=INTERRUPTED/));
});
