/** What lies in the files that every start reads: nothing that a short command does not need. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { describe, it } from "node:test";

interface Output {
  readonly imports: readonly { readonly path: string; readonly kind: string; readonly external?: boolean }[];
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly entryPoint?: string;
}

const { outputs }: { outputs: Readonly<Record<string, Output>> } = JSON.parse(
  readFileSync("build/bundle.json", "utf8"),
);

/** The chunk of an entry and all that it imports statically. */
function closure(entryPoint: string): { readonly inputs: readonly string[]; readonly externals: readonly string[] } {
  const [first] = Object.entries(outputs).find(([, output]) => output.entryPoint === entryPoint) ?? [];
  assert.ok(first !== undefined, entryPoint);
  const seen = new Set<string>();
  const externals = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const { path, kind, external } of outputs[name]?.imports ?? []) {
      if (kind !== "import-statement") continue;
      if (external === true) externals.add(path);
      else visit(path);
    }
  };
  visit(first);
  return { inputs: [...seen].flatMap((name) => Object.keys(outputs[name]?.inputs ?? {})), externals: [...externals] };
}

const packageOf = (input: string) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1];

/** Node's own modules that are loaded when a process ends that ran `code`. */
function loadedModules(code: string, words: readonly string[]): readonly string[] {
  const report = "process.on('exit', () => require('node:fs').writeSync(2, JSON.stringify(process.moduleLoadList)));";
  const { stderr } = spawnSync(process.execPath, ["-e", report + code, "perigee", ...words], { encoding: "utf8" });
  return JSON.parse(stderr);
}

describe("the bundle", () => {
  for (const entry of [
    "main.ts",
    "commands/run.ts",
    "commands/version.ts",
    "commands/list.ts",
    "commands/status.ts",
    "commands/stop.ts",
  ]) {
    it(`${entry} needs no package but koffi`, () => {
      const { inputs, externals } = closure(`src/cli/${entry}`);
      assert.deepEqual([...new Set(inputs.map(packageOf))], [undefined]);
      assert.deepEqual(
        externals.filter((name) => !/^node:/.test(name) && name !== "koffi"),
        [],
      );
    });
  }
  for (const line of [["version"], ["run", "--help"]]) {
    it(`perigee ${line.join(" ")} starts without Node's slow modules`, () => {
      const slow = [
        "child_process",
        "internal/fs/promises",
        "net",
        "http",
        "https",
        "tls",
        "tty",
        "zlib",
        "internal/crypto/keys",
      ];
      const before = new Set(loadedModules("process.exit()", []));
      const loaded = loadedModules('require("./dist/perigee.cjs")', line).filter((name) => !before.has(name));
      assert.deepEqual(
        slow.filter((name) => loaded.includes(`NativeModule ${name}`)),
        [],
      );
    });
  }
  it("what every start reads is small, and its code cache is there", () => {
    assert.ok(statSync("dist/start.js").size < 80_000);
    for (const pack of ["start.js", "pods.js", "list.js", "relist.js", "images.js", "fetch.js"])
      assert.ok(statSync(`dist/${pack}.cache`).size > 10_000, pack);
  });
  it("a fetch has all its code from packs, but for OpenPGP", () => {
    const chunks = readdirSync("dist").filter((name) => name.endsWith(".cjs"));
    const entries = [
      "src/api/fetch.ts",
      "src/http/client.ts",
      "src/http/agent.ts",
      "src/trust/verify.ts",
      "node_modules/node-fetch/src/index.js",
    ];
    for (const entry of entries) {
      const [name = ""] = Object.entries(outputs).find(([, output]) => output.entryPoint === entry) ?? [];
      assert.match(name, /^dist\//, entry);
      assert.ok(!chunks.includes(name.replace(/^dist\/(.*)\.js$/, "$1.cjs")), entry);
    }
  });
  it("a client that asks nobody loads no network, and recalling a verdict no OpenPGP (TRUST-28)", () => {
    assert.ok(!closure("src/http/client.ts").inputs.includes("src/http/agent.ts"));
    const { inputs, externals } = closure("src/api/fetch.ts");
    assert.ok(inputs.includes("src/fetch/recall.ts"));
    assert.deepEqual(
      inputs.filter((input) => ["src/trust/verify.ts", "src/http/client.ts"].includes(input)),
      [],
    );
    assert.ok(!externals.includes("openpgp"));
  });
  it("holds openpgp nowhere: it stays a package of its own", () => {
    const inputs = Object.values(outputs).flatMap((output) => Object.keys(output.inputs));
    assert.deepEqual(
      inputs.filter((input) => ["openpgp", "koffi"].includes(packageOf(input) ?? "")),
      [],
    );
  });
});
