/** Images whose manifest was written to do harm, through every command that reads images: one clear refusal each, and nothing is left behind. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";
import type { Settings } from "../../src/api/settings.ts";
import type { Validation } from "../../src/api/validate.ts";
import { Failure } from "../../src/base/failure.ts";
import { findCommand } from "../../src/cli/commands/index.ts";
import { parseLine } from "../../src/cli/parse.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { imageManifest, type Outcome, Workspace } from "../helpers/program.ts";
import { tar } from "../helpers/raw-tar.ts";
import { contextOf, settingsIn } from "../helpers/trust.ts";

const work = new Workspace();
const clean = leakSnapshot();
const good = "example.com/good";
before(() => {
  work.stored(good);
  mkdirSync(work.path("out"));
});
after(async () => {
  await work.close();
  await assertNothingLeft(clean);
});

const text = (more: object = {}): string => JSON.stringify({ ...imageManifest("example.com/hostile"), ...more });
const archiveOf = (manifest: string | Buffer): Buffer =>
  tar([
    { name: "manifest", body: manifest },
    { name: "rootfs", type: "5", mode: 0o755 },
  ]);
const nested = (depth: number): string => text().replace(/}$/, `,"x":${"[".repeat(depth)}${"]".repeat(depth)}}`);

/** Why → the bytes of the manifest, and the code that an archive with it is refused with. */
const hostile: readonly (readonly [why: string, manifest: string | Buffer, code: string])[] = [
  ["nothing", "", "JSON_INVALID"],
  ["no JSON", "acKind: ImageManifest", "JSON_INVALID"],
  ["half of one", text().slice(0, -9), "JSON_INVALID"],
  ["bytes behind it", `${text()}{}`, "JSON_INVALID"],
  ["a byte order mark", `\ufeff${text()}`, "JSON_INVALID"],
  ["bytes that are no UTF-8", Buffer.from(text().replace("hostile", "h\u00ff"), "latin1"), "JSON_INVALID"],
  ["a key twice", text().replace('"acKind"', '"name":"example.com/good","acKind"'), "JSON_INVALID"],
  ["__proto__", text().replace('"acKind"', '"__proto__":{"exec":["/x"]},"acKind"'), "JSON_INVALID"],
  ["a hundred thousand brackets", nested(100_000), "(JSON_INVALID|LIMIT_EXCEEDED)"],
  ["half of a surrogate pair", text().replace("hostile", "\\ud800"), "(JSON_INVALID|MANIFEST_INVALID)"],
  ["more than any manifest has", text({ x: "x".repeat(5 * 1024 * 1024) }), "LIMIT_EXCEEDED"],
  ["a list", "[]", "MANIFEST_INVALID"],
  ["null", "null", "MANIFEST_INVALID"],
  ["a pod's manifest", text({ acKind: "PodManifest" }), "MANIFEST_INVALID"],
  ["a name that leads out", text({ name: "../../etc/passwd" }), "MANIFEST_INVALID"],
  ["a name of escape sequences", text({ name: "\u001b[2J\u001b]0;x\u0007" }), "MANIFEST_INVALID"],
  [
    "labels that are a number",
    text({ labels: "1e400" }).replace('"1e400"', "1e400"),
    "(JSON_INVALID|MANIFEST_INVALID)",
  ],
  ["a path whitelist that leads out", text({ pathWhitelist: ["/../etc"] }), "MANIFEST_INVALID"],
  ["a dependency of no size", text({ dependencies: [{ imageName: "a/b", size: -1 }] }), "MANIFEST_INVALID"],
];

/** Every command that takes the path of an image, and what it would write. */
const commands: readonly (readonly string[])[] = [
  ["image", "validate", "hostile.aci"],
  ["image", "cat-manifest", "hostile.aci"],
  ["image", "patch-manifest", "--name", "example.com/b", "hostile.aci", "out/x.aci"],
  ["image", "patch-manifest", "--replace", "--name", "example.com/b", "hostile.aci"],
  ["image", "extract", "hostile.aci", "out/x"],
  ["image", "render", "hostile.aci", "out/x"],
  ["image", "diff", "hostile.aci", good],
  ["image", "diff", good, "hostile.aci"],
  ["image", "tree", "hostile.aci"],
  ["image", "size", "hostile.aci"],
  ["image", "sbom", "hostile.aci"],
  ["fetch", "hostile.aci"],
];

/** `image validate` reports what it found as its result. */
function failureIn(result: unknown): unknown {
  return Array.isArray(result) ? (result as readonly Validation[])[0]?.failure : result;
}

function assertRefused({ status, stdout, stderr }: Outcome, code: string, words: string): void {
  assert.equal(status, 1, `${words}: ${stdout}${stderr}`);
  assert.match(`${stdout}${stderr}`, new RegExp(`(^|[: ])(error\\[)?${code}(\\])?: `, "m"), words);
  assertNoCrash(stderr, words);
}

function assertNoCrash(stderr: string, words: string): void {
  assert.doesNotMatch(stderr, /INTERNAL|\n\s+at .*:\d+:\d+|TypeError|RangeError/, words);
  assert.doesNotMatch(stderr, /[\u0000-\u0008\u000b-\u001f\u007f]/, words);
}

const left = (): readonly string[] =>
  [".", "out", "data/store/staging", "data/store/trash"].flatMap((name) => readdirSync(work.path(name)).sort());

describe("a file with a hostile manifest", () => {
  /** As `perigee WORDS…`, in this process: two hundred processes would take their time. */
  const inProcess = async (settings: Settings, words: readonly string[]): Promise<unknown> => {
    const found = findCommand(words);
    assert.ok(found !== undefined);
    const command = (await found.entry.load()).default;
    const { args, options } = await parseLine(command, words.slice(found.words));
    return await command.run({ ...contextOf(command, settings), args, options });
  };

  for (const [why, manifest, code] of hostile) {
    it(`${why}: every command says ${code}`, async () => {
      const settings = { ...settingsIn(work.directory), insecure: new Set(["image"] as const) };
      const archive = tar([
        { name: "manifest", body: manifest },
        { name: "rootfs", type: "5", mode: 0o755 },
      ]);
      writeFileSync(work.path("hostile.aci"), archive);
      const before = left();
      for (const words of commands) {
        const line = words.map((word) => word.replace(/^(hostile|out)/, work.path("$1")));
        const told = words.join(" ");
        const thrown = await inProcess(settings, line).then(failureIn, (error: unknown) => error);
        assert.ok(thrown instanceof Failure, `${told}: ${inspect(thrown)}`);
        assert.match(thrown.code, new RegExp(`^${code}$`), told);
        assert.deepEqual(left(), before, told);
      }
      assert.deepEqual(readFileSync(work.path("hostile.aci")), archive, "what --replace did not replace");
      rmSync(work.path("hostile.aci"));
    });
  }
});

describe("the program itself", () => {
  it("prints the refusal of each command, no stack, and ends with 1", () => {
    writeFileSync(work.path("hostile.aci"), archiveOf(text({ name: "\u001b[2J/../x" })));
    const before = left();
    for (const words of commands) {
      assertRefused(work.perigee(["--insecure-options=image", ...words]), "MANIFEST_INVALID", words.join(" "));
      assert.deepEqual(left(), before, words.join(" "));
    }
    rmSync(work.path("hostile.aci"));
  });
});

describe("VERIFY-5: a stored image whose manifest was changed in the store", () => {
  const changes = [text({ name: "../../etc/passwd" }), nested(100_000)];
  const stored: readonly (readonly string[])[] = [
    ...commands.slice(1).filter((words) => words.includes("hostile.aci") && !words.includes("--replace")),
    ["image", "export", "hostile.aci", "out/x.aci"],
    ["image", "verify", "hostile.aci"],
    ["image", "list"],
    ["--insecure-options=image", "plan", "hostile.aci"],
    ["--insecure-options=image", "run", "hostile.aci", "--", "exit", "0"],
  ].map((words) => words.map((word) => (word === "hostile.aci" ? "example.com/changed" : word)));

  it("no command crashes, and none tells what the changed bytes say", () => {
    work.stored("example.com/changed");
    const manifests = work.path("data", "store", "manifests");
    const [file = ""] = readdirSync(manifests, { recursive: true, encoding: "utf8" }).filter(
      (name) =>
        /[0-9a-f]{64}/.test(name) && readFileSync(join(manifests, name), "utf8").includes("example.com/changed"),
    );
    const original = readFileSync(join(manifests, file));
    for (const change of changes) {
      for (const words of stored) {
        writeFileSync(join(manifests, file), change);
        const { status, stdout, stderr } = work.perigee(words);
        const told = `${words.join(" ")}: ${stdout}${stderr}`;
        assert.ok(status >= 0 && status < 128, told);
        assertNoCrash(stderr, told);
        assert.doesNotMatch(stdout, /etc\/passwd|\[\[/, told);
        // `image verify` tells it as its result.
        if (status !== 0) assert.match(`${stdout}${stderr}`, /^ *error\[[A-Z_]+\]: /m, told);
        rmSync(work.path("out"), { recursive: true });
        mkdirSync(work.path("out"));
      }
    }
    writeFileSync(join(manifests, file), original);
    work.must(["image", "cat-manifest", "example.com/changed"]);
  });
});
