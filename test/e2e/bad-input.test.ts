/** What bad input gets: one clear line naming the thing, a way out, the right exit status, and nothing left behind. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { asUser } from "../helpers/ordinary-user.ts";
import { imageManifest, type Outcome, program, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
let image = "";
before(() => {
  image = work.image("example.com/bad", { exec: ["/guest", "exit", "0"] });
});
after(async () => {
  await work.close();
  await assertNothingLeft(clean);
});

function assertRefused(outcome: Outcome, status: number, code: string, naming: RegExp): void {
  assert.equal(outcome.status, status, outcome.stderr);
  const [first = ""] = outcome.stderr.split("\n").filter((line) => line.startsWith("error["));
  assert.ok(first.startsWith(`error[${code}]: `), outcome.stderr);
  assert.match(outcome.stderr, naming);
  assert.match(outcome.stderr, /\n {2}try: /);
  assert.doesNotMatch(outcome.stderr, /\n\s+at .*:\d+:\d+/);
  assert.equal(outcome.stdout, "");
}

function build(manifest: string): Outcome {
  mkdirSync(work.path("layout", "rootfs"), { recursive: true });
  writeFileSync(work.path("layout", "manifest"), manifest);
  return work.perigee(["build", "layout", "out.aci"]);
}

const leftOvers = () =>
  readdirSync(work.directory).filter((name) => name.startsWith("out.aci") || name.endsWith(".tmp"));

describe("building", () => {
  it("a manifest that is no JSON is told with its position", () => {
    assertRefused(
      build('{"acKind": "ImageManifest",\n  "acVersion" 1}'),
      1,
      "JSON_INVALID",
      /layout\/manifest .* line 2 column 15/,
    );
    assert.deepEqual(leftOvers(), []);
  });

  it("a manifest that breaks rules is told with position, field and rule, all of them at once", () => {
    const manifest = { ...imageManifest("example.com/bad", { user: 1000 }), acVersion: "new" };
    assertRefused(
      build(JSON.stringify(manifest)),
      1,
      "MANIFEST_INVALID",
      /1:\d+ acVersion: ACI-22: [\s\S]*1:\d+ app\.user: /,
    );
    assert.deepEqual(leftOvers(), []);
  });

  it("no manifest, no directory, no rootfs", () => {
    rmSync(work.path("layout", "manifest"));
    assert.match(work.perigee(["build", "layout", "out.aci"]).stderr, /manifest/);
    assertRefused(work.perigee(["build", "nowhere", "out.aci"]), 3, "NOT_FOUND", /nowhere/);
    assert.deepEqual(leftOvers(), []);
  });

  it("an output that is there stays as it is", () => {
    const before = readFileSync(image);
    const again = work.perigee([
      "build",
      "--manifest",
      work.path("example.com-bad.json"),
      "--rootfs",
      work.path("example.com-bad-rootfs"),
      image,
    ]);
    assertRefused(again, 6, "ALREADY_EXISTS", /example\.com-bad\.aci/);
    assert.deepEqual(readFileSync(image), before);
  });
});

describe("fetching", () => {
  it("a file that is not there (3)", () =>
    assertRefused(work.perigee(["fetch", "./nowhere.aci"]), 3, "NOT_FOUND", /nowhere\.aci/));

  it("no signature (4)", () =>
    assertRefused(work.perigee(["fetch", image]), 4, "SIGNATURE_MISSING", /example\.com-bad\.aci/));

  for (const [why, bytes] of [
    ["random bytes", Buffer.from("this is no archive at all, but long enough to look at".repeat(40))],
    ["a gzip of no tar", gzipSync(Buffer.alloc(4096, "x"))],
    ["an empty file", Buffer.alloc(0)],
    ["a truncated image", undefined],
  ] as const) {
    it(`${why} is no image, and the store stays empty (1)`, () => {
      writeFileSync(work.path("broken.aci"), bytes ?? readFileSync(image).subarray(0, 3000));
      const outcome = work.perigee(["--insecure-options=image", "fetch", "./broken.aci"]);
      assert.equal(outcome.status, 1, outcome.stderr);
      assert.match(outcome.stderr, /error\[(ARCHIVE_INVALID|IMAGE_INVALID)\]: .*/);
      assert.equal(work.must(["image", "list", "--format", "json"]).trim(), "[]");
      assert.deepEqual(readdirSync(work.path("data", "store", "staging")), []);
    });
  }

  it("a server that is down (7)", async () => {
    const port = await closedPort();
    assertRefused(
      work.perigee(["fetch", "--connect-to", `example.com:127.0.0.1:${port}`, "example.com/bad"]),
      7,
      "HTTP_FAILED",
      /example\.com/,
    );
  });
});

describe("pods", () => {
  it("an image that was stored unsigned (125)", () => {
    work.must(["--insecure-options=image", "fetch", image]);
    assertRefused(work.perigee(["run", "example.com/bad"]), 125, "SIGNATURE_MISSING", /example\.com\/bad/);
    assert.equal(work.must(["list", "--format", "json"]).trim(), "[]");
  });

  for (const [why, app, status] of [
    ["a program that is not there", { exec: ["/nowhere"] }, 127],
    ["a file that is not executable", { exec: ["/data"] }, 126],
    ["a user that is not there", { user: "nobody-here" }, 125],
    ["a working directory that is not there", { workingDirectory: "/nowhere" }, 125],
  ] as const) {
    it(`${why} (${status}), and gc finds nothing odd`, () => {
      const broken = work.image(`example.com/${why.replaceAll(" ", "-")}`, app, { data: "no program" });
      const outcome = work.perigee(["--insecure-options=image", "run", broken]);
      assert.equal(outcome.status, status, outcome.stderr);
      assert.match(outcome.stderr, /^error\[[A-Z_]+\]: /m);
      work.must(["gc", "--grace-period=0s"]);
      assert.equal(work.must(["list", "--format", "json"]).trim(), "[]");
    });
  }

  it("an ordinary user is told to use root (125)", () => {
    chmodSync(work.directory, 0o755);
    mkdirSync(work.path("checkout"));
    const home = { HOME: "/nonexistent", XDG_DATA_HOME: "/nonexistent", XDG_CONFIG_HOME: "/nonexistent" };
    const argv = asUser(1000, work.path("checkout"), [program, "run", image]);
    assertRefused(work.command(argv, { env: home, cwd: "/" }), 125, "NOT_ROOT", /sudo/);
  });

  it("a pod that is not there (3), what is neither a uuid nor a name (2)", () => {
    assertRefused(work.perigee(["status", "abcd1234"]), 3, "NOT_FOUND", /abcd1234/);
    assertRefused(work.perigee(["stop", "x"]), 3, "NOT_FOUND", /there is no pod x/);
    assertRefused(work.perigee(["stop", "X!"]), 2, "USAGE", /X! is neither uuid nor name of a pod/);
  });
});

describe("the command line", () => {
  it("an unknown command gets a suggestion (2)", () => assertRefused(work.perigee(["fecth"]), 2, "USAGE", /fetch/));
  it("an unknown option (2)", () => assertRefused(work.perigee(["list", "--fulll"]), 2, "USAGE", /--full/));
  it("--format json prints the error as an object", () => {
    const outcome = work.perigee(["status", "--format", "json", "abcd1234"]);
    assert.equal(JSON.parse(outcome.stderr).error.code, "NOT_FOUND");
  });
});

/** A port on loopback that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
