/** The built program as a whole: lines, help, refusals, streams and exit statuses. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

const program = join(process.cwd(), "dist/perigee");
let home: string;
before(() => {
  home = mkdtempSync(join(tmpdir(), `perigee-cli-${process.pid}-`));
});
after(() => rmSync(home, { recursive: true, force: true }));

function perigee(...words: readonly string[]) {
  const env = { PATH: process.env["PATH"] ?? "", HOME: home };
  const places = [
    "--dir",
    join(home, "data"),
    "--local-config",
    join(home, "etc"),
    "--system-config",
    join(home, "usr"),
  ];
  return spawnSync(program, [...places, ...words], { encoding: "utf8", env });
}

/** Without global flags before the line, which some lines are about. */
function bare(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(program, words, { encoding: "utf8", env: { PATH: process.env["PATH"] ?? "", HOME: home, ...env } });
}

describe("perigee: help", () => {
  it("alone shows twelve lines and succeeds", () => {
    const { status, stdout, stderr } = bare([]);
    assert.equal(stdout.trimEnd().split("\n").length, 12);
    assert.deepEqual([status, stderr], [0, ""]);
  });
  for (const line of [["--help"], ["-h"], ["help"]]) {
    it(`${line.join(" ")} names all commands`, () => assert.match(bare(line).stdout, /image cat-manifest/));
  }
  for (const line of [
    ["version", "--help"],
    ["--help", "version"],
    ["help", "version"],
    ["version", "-h"],
  ]) {
    it(line.join(" "), () => {
      const { status, stdout } = bare(line);
      assert.match(stdout, /^Usage: perigee version\n/);
      assert.equal(status, 0);
    });
  }
  it("of a group", () => {
    for (const line of [
      ["image", "--help"],
      ["help", "image"],
      ["image", "help"],
      ["image", "--debug", "--help"],
    ])
      assert.match(bare(line).stdout, /^Usage: perigee image COMMAND/);
  });
  it("CLI-1: of a command behind a group word, as scripts for actool ask for it", () => {
    assert.match(bare(["image", "help", "validate"]).stdout, /^Usage: perigee image validate /);
    assert.match(bare(["image", "help", "build"]).stdout, /^Usage: perigee build /);
  });
  it("of a topic", () => assert.match(bare(["help", "exit-codes"]).stdout, /not trusted/));
});

describe("perigee: versions", () => {
  it("version and --version say the same", () => {
    const { stdout, status } = bare(["--version"]);
    assert.match(stdout, /^perigee Version: \d+\.\d+\.\d+\nappc Version: 0\.8\.11\n/);
    assert.equal(status, 0);
    assert.equal(bare(["version"]).stdout, stdout);
  });
  it("CLI-1: global flags work on both sides of the name", () => {
    for (const line of [
      ["--format=json", "version"],
      ["version", "--format", "json"],
      ["--version", "--format=json"],
      ["image", "--format=json", "version"],
      ["image", "--debug", "--format", "json", "version"],
    ]) {
      assert.equal(JSON.parse(bare(line).stdout).appcVersion, "0.8.11");
    }
  });
});

describe("perigee: refusals (CLI-1)", () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["vesrion"], /error\[USAGE\]: there is no command vesrion\n {2}try: perigee version\n/],
    [["im", "list"], /no command im\n {2}try: perigee image\n/],
    [["image", "lst"], /no command image lst\n {2}try: perigee image list\n/],
    [["image"], /image needs one of its commands\n {2}try: perigee image list\n/],
    [["version", "--frmat"], /no option --frmat here/],
    [["--frmat=json", "version"], /no option --frmat here\n {2}try: --format/],
    [["version", "x"], /does not take so many arguments/],
    [["version", "--format=xml"], /no format xml/],
    [["--dir", "here", "version"], /--dir takes an absolute directory/],
    [["--insecure-options=imag", "version"], /does not know "imag"/],
    [["help", "nonsense"], /no command nonsense/],
  ];
  for (const [line, message] of cases) {
    it(line.join(" "), () => {
      const { status, stdout, stderr } = bare(line);
      assert.match(stderr, message);
      assert.deepEqual([status, stdout], [2, ""]);
      assert.ok(!/^ +at /m.test(stderr));
    });
  }
  it("CLI-6: as JSON on standard error", () => {
    const { status, stdout, stderr } = bare(["vesrion", "--format", "json"]);
    assert.deepEqual(JSON.parse(stderr), {
      error: { code: "USAGE", message: "there is no command vesrion", cause: null, hint: "perigee version" },
    });
    assert.deepEqual([status, stdout], [2, ""]);
  });
  it("CLI-7: with the stack only with --debug", () => assert.match(bare(["vesrion", "--debug"]).stderr, /^ +at /m));
  it("CLI-11: of run end with 125", () => assert.equal(perigee("run", "--no-such-flag").status, 125));
});

describe("perigee: streams", () => {
  it("CLI-10: a reader that goes away ends it quietly", () => {
    const { stdout, stderr } = spawnSync("bash", ["-c", `"$0" --help | true; echo "\${PIPESTATUS[0]}"`, program], {
      encoding: "utf8",
    });
    assert.equal(stderr, "");
    // The help may fit the pipe before `true` ends.
    assert.match(stdout, /^(0|141)\n$/);
  });
  it("CLI-10: a result that cannot be written is a failure", () => {
    const { status, stderr } = spawnSync("bash", ["-c", '"$0" version > /dev/full', program], { encoding: "utf8" });
    assert.match(stderr, /error\[DISK_FULL\]/);
    assert.equal(status, 1);
  });
  it("CLI-10: so is one for a standard output that is closed, whatever else is", () => {
    for (const closed of [">&-", "<&- >&-"]) {
      const { status, stderr } = spawnSync("bash", ["-c", `"$0" version ${closed}`, program], { encoding: "utf8" });
      assert.match(stderr, /error\[IO_FAILED\].*\n {2}cause: EBADF/, closed);
      assert.equal(status, 1);
    }
    const { status, stdout } = spawnSync("bash", ["-c", '"$0" version <&- 2>&-', program], { encoding: "utf8" });
    assert.deepEqual([status, stdout !== ""], [0, true], "what has its output works without the others");
  });
});

describe("the launcher", () => {
  it("CLI-16: keeps NODE_EXTRA_CA_CERTS out of Node's start, which would warn about a file that is not there", () => {
    const { status, stderr } = bare(["version"], { NODE_EXTRA_CA_CERTS: "/does/not/exist" });
    assert.deepEqual([status, stderr], [0, ""]);
  });
  it("finds its files through a link", () => {
    const links = mkdtempSync(join(tmpdir(), `perigee-link-${process.pid}-`));
    spawnSync("ln", ["-s", program, join(links, "perigee")]);
    assert.equal(spawnSync(join(links, "perigee"), ["version"]).status, 0);
    rmSync(links, { recursive: true });
  });
  it("ignores a node in the current directory", () => {
    const { stdout, status } = spawnSync(program, ["version"], { cwd: "/", encoding: "utf8", env: { PATH: ".::bin" } });
    assert.match(stdout, /^perigee Version/);
    assert.equal(status, 0);
  });
  it("asks Node for little memory between collections for `image diff`, and leaves the start of the others as it is", () => {
    const directory = mkdtempSync(join(tmpdir(), `perigee-node-${process.pid}-`));
    writeFileSync(join(directory, "node"), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
    const given = (...words: readonly string[]): readonly string[] =>
      bare(words, { PATH: directory }).stdout.trimEnd().split("\n");
    const usual = (words: readonly string[]) => ["--preserve-symlinks-main", `${program}.cjs`, ...words];
    const diff = ["--dir", "d", "image", "diff", "a", "b"];
    assert.deepEqual(given(...diff), ["--max-semi-space-size=4", ...usual(diff)]);
    for (const words of [["diff"], ["image"], ["image", "list"]]) assert.deepEqual(given(...words), usual(words));
    rmSync(directory, { recursive: true });
  });
  it("hands arguments on as they are", () => {
    assert.match(bare(["a b\nc"]).stderr, /no command a b\\x0ac/);
  });
});

describe("a command that only looks", () => {
  it("makes no directory", () => {
    assert.equal(perigee("version").status, 0);
    assert.deepEqual(readdirSync(home), []);
    assert.equal(existsSync(join(home, "data")), false);
  });
});

describe("perigee: signals (CLI-12)", () => {
  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    it(`${signal} while a server does not answer: ${status}`, async () => {
      const sockets = new Set<Socket>();
      const server = createServer((socket) => sockets.add(socket)).listen(0, "127.0.0.1");
      await once(server, "listening");
      const address = server.address();
      assert.ok(typeof address === "object" && address !== null);
      const line = ["discover", "--connect-to", `example.com:127.0.0.1:${address.port}`, "example.com/x"];
      const env = { PATH: process.env["PATH"] ?? "", HOME: home };
      const child = spawn(program, line, { env, stdio: ["ignore", "ignore", "pipe"] });
      let stderr = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr += text;
      });
      await once(server, "connection");
      child.kill(signal);
      assert.deepEqual(await once(child, "close"), [status, null], stderr);
      assert.match(stderr, /error\[INTERRUPTED\]/);
      for (const socket of sockets) socket.destroy();
      server.close();
    });
  }
});
