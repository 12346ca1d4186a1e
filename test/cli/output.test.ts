import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { isTerminal, writeFully } from "../../src/cli/output.ts";

const here = dirname(fileURLToPath(import.meta.url));
const module = join(here, "../../src/cli/output.js");

/** Runs `script` with `output` made as `options` say; `shell` is where its streams go. */
function run(script: string, options: string, shell = '"$@"') {
  const code = `import { createOutput } from ${JSON.stringify(module)};
    const output = createOutput({ format: "table", debug: false, environment: new Map(), onReaderGone: () => gone(), ...${options} });
    let isGone = false;
    function gone() { isGone = true; }
    ${script}`;
  const words = [process.execPath, "--input-type=module", "-e", code];
  return spawnSync("bash", ["-c", shell, "bash", ...words], { encoding: "utf8" });
}

describe("createOutput", () => {
  it("CLI-4: puts results on standard output and everything else on standard error", () => {
    const { stdout, stderr } = run(
      'output.lines(["a", "b"]); output.log.info("i"); output.log.warn("w"); output.log.debug("d");',
      "{}",
    );
    assert.equal(stdout, "a\nb\n");
    assert.equal(stderr, "i\nwarning: w\n");
  });
  it("shows debug lines with --debug", () => {
    assert.equal(run('output.log.debug("d");', "{ debug: true }").stderr, "d\n");
  });
  it("CLI-5, CLI-6: writes JSON results and one JSON object a line on standard error", () => {
    const script = `output.json([], "pretty"); output.json({ a: 1 }, "line"); output.log.warn("w");
      output.log.progress({ task: "t", done: 1 }); output.failure("error[X]", ["error[X]: x"], { error: { code: "X" } });`;
    const { stdout, stderr } = run(script, '{ format: "json" }');
    assert.equal(stdout, '[]\n{"a":1}\n');
    assert.deepEqual(
      stderr
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
      [{ log: { level: "warn", message: "w" } }, { error: { code: "X" } }],
    );
  });
  it("CLI-8: --quiet leaves out progress and remarks, not warnings and failures", () => {
    const script = `output.log.info("i"); output.log.progress({ task: "t", done: 1 });
      output.log.warn("w"); output.failure("error[X]", ["error[X]: x"], {});
      setTimeout(() => output.lines(["r"]), 2500);`;
    assert.match(run(script, "{}").stderr, /^i\nwarning: w\nerror\[X\]: x\nt …\n$/);
    assert.equal(run(script, "{ isQuiet: true }").stderr, "warning: w\nerror[X]: x\n");
  });
  it("CLI-8: writes no escape sequence where there is no terminal", () => {
    const { stdout, stderr } = run(
      'output.lines(["a"]); output.failure("error[X]", ["error[X]: x"], {}); output.log.warn("w");',
      "{}",
    );
    assert.ok(!`${stdout}${stderr}`.includes("\u001b"));
  });
  // script(1) hands its line to $SHELL, and what printf %q writes is for bash alone.
  const onTerminal = 'SHELL=$BASH script -qec "$(printf \'%q \' "$@")" /dev/null';
  it("CLI-8: colours the label on a terminal, not with NO_COLOR, not on a dumb one", () => {
    const fail = 'output.failure("error[X]", ["error[X]: x"], {});';
    assert.ok(run(fail, "{}", onTerminal).stdout.includes("\u001b[31merror[X]\u001b[0m: x"));
    for (const [name, value] of [
      ["NO_COLOR", "1"],
      ["TERM", "dumb"],
    ]) {
      const { stdout } = run(fail, `{ environment: new Map([["${name}", "${value}"]]) }`, onTerminal);
      assert.ok(stdout.includes("error[X]: x") && !stdout.includes("\u001b"), stdout);
    }
  });
  it("CLI-9, T-R47: a result line cannot repaint a terminal, and a file gets it as it is", () => {
    const script = 'output.lines(["\\u001b[2Jx\\ty"]);';
    assert.ok(run(script, "{}", onTerminal).stdout.includes("\\x1b[2Jx\ty"));
    assert.equal(run(script, "{}").stdout, "\u001b[2Jx\ty\n");
  });
  it("CLI-9, T-R47: JSON cannot either, and says the same", () => {
    const { stdout } = run('output.json({ a: "\\u202e\\u009b" }, "line");', "{}");
    assert.equal(stdout, '{"a":"\\u202e\\u009b"}\n');
  });
  it("CLI-10: is quiet when the reader has gone, and says so to who works", () => {
    const script = `for (let i = 0; i < 100000 && !isGone; i++) output.lines(["x".repeat(100)]);
      output.log.info(String(isGone && output.isReaderGone()));`;
    const piped = run(script, "{}", '"$@" | true; exit 0');
    assert.equal(piped.stderr, "true\n");
  });
  it("CLI-10: what nobody reads is not made into text", () => {
    const script = `let told = 0;
      const item = { toJSON: () => { told += 1; return "x".repeat(100); } };
      output.json(Array(100000).fill(item), "pretty");
      output.log.info(String(isGone && told < 100000));`;
    const piped = run(script, "{}", '"$@" | true; exit 0');
    assert.equal(piped.stderr, "true\n");
  });
});

describe("writeFully", () => {
  it("waits for a reader that is slower than a non-blocking pipe", () => {
    const code = `import { writeFully } from ${JSON.stringify(module)};
      import { Socket } from "node:net";
      new Socket({ fd: 1 }); // libuv makes the pipe non-blocking
      writeFully(1, "x".repeat(1 << 20));`;
    const words = [process.execPath, "--input-type=module", "-e", code];
    const { stdout } = spawnSync("bash", ["-c", '"$@" | (sleep 0.2; wc -c)', "bash", ...words], { encoding: "utf8" });
    assert.equal(stdout.trim(), String(1 << 20));
  });
  it("CLI-10: does not take a full disk for success", () => {
    const full = openSync("/dev/full", "w");
    try {
      assert.throws(() => writeFully(full, "x"), { code: "ENOSPC" });
    } finally {
      closeSync(full);
    }
  });
});

describe("isTerminal", () => {
  it("is false for files, for /dev/null and for what is not open", () => {
    for (const path of ["/dev/null", "/etc/passwd"]) {
      const fd = openSync(path, "r");
      assert.equal(isTerminal(fd), false);
      closeSync(fd);
    }
    assert.equal(isTerminal(9999), false);
  });
});
