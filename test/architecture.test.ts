/**
 * The architecture as a test: who imports whom, sizes, twins, and where the few dangerous things may stand.
 * A file that breaks a rule is mended, or listed here with its reason.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { describe, it } from "node:test";

/** folder → folders it may import; in the order of the layers, lowest first. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  schema: ["base"],
  tar: ["base"],
  compression: ["base"],
  shim: ["base"],
  http: ["base"],
  sbom: ["tar", "schema", "base"],
  image: ["tar", "compression", "shim", "schema", "base"],
  trust: ["schema", "base"],
  store: ["image", "shim", "schema", "base"],
  site: ["image", "schema", "base"],
  oci: ["http", "store", "trust", "image", "tar", "shim", "schema", "base"],
  fetch: ["oci", "http", "store", "trust", "image", "schema", "base"],
  net: ["shim", "schema", "base"],
  pod: ["net", "store", "shim", "schema", "base"],
  metadata: ["pod", "shim", "schema", "base"],
  recipe: ["pod", "fetch", "store", "image", "shim", "tar", "schema", "base"],
  api: [
    "recipe",
    "metadata",
    "pod",
    "net",
    "fetch",
    "oci",
    "site",
    "store",
    "trust",
    "image",
    "sbom",
    "http",
    "shim",
    "tar",
    "schema",
    "base",
  ],
  cli: ["api", "schema", "base"],
  index: ["api", "schema", "base"],
};

/** package → the folders whose job it does. */
const owners: Readonly<Record<string, readonly string[]>> = {
  zod: ["schema", "shim", "recipe"],
  "node-fetch": ["http"],
  "https-proxy-agent": ["http"],
  openpgp: ["trust"],
  parse5: ["fetch"],
  commander: ["cli"],
  koffi: ["shim"],
  yaml: ["recipe"],
  "@bokuweb/zstd-wasm": ["compression"],
};

/** Source files without a test file of their own, and where they are tested or why they need none. */
const testedElsewhere: Readonly<Record<string, string>> = {
  "src/api/run-options.ts": "only types",
  "src/api/choose-app.ts": "enter.test.ts and attach.test.ts beside it",
  "src/api/fill-pod.ts": "run.test.ts, prepare.test.ts and run-prepared.test.ts beside it",
  "src/shim/teardown-plan.ts": "test/shim/plan.test.ts and test/native/plan.test.ts",
  "src/net/attach.ts": "test/e2e/network.test.ts, with real plugins",
  "src/net/detach.ts": "test/e2e/network.test.ts, with real plugins",
  "src/api/join-networks.ts": "test/e2e/network.test.ts, with real plugins",
  "src/api/start-pod.ts": "run.test.ts and run-prepared.test.ts beside it",
  "src/cli/start-pod.ts": "test/cli/run.test.ts and test/cli/run-prepared.test.ts",
  "src/shim/plan-arity.ts": "test/shim/plan.test.ts and test/native/plan.test.ts",
  "src/index.ts": "only re-exports",
  "src/sbom/package.ts": "only types and one limit",
  "src/tar/refusals.ts": "test/tar/read.test.ts",
  "src/store/relist.ts": "listed.test.ts beside it",
  "src/oci/below.ts": "layer.test.ts beside it, and test/e2e/oci-trees.test.ts",
  "src/oci/source.ts": "import.test.ts beside it",
  "src/oci/open.ts": "import.test.ts beside it",
  "src/oci/resolve.ts": "import.test.ts beside it",
  "src/oci/layers.ts": "import.test.ts beside it",
  "src/oci/outgoing.ts": "push.test.ts beside it, and test/e2e/oci-export.test.ts",
  "src/api/export-oci.ts": "export-image.test.ts beside it, and test/e2e/oci-export.test.ts",
  "src/store/layered-files.ts": "test/api/read-image.test.ts",
  "src/oci/lower.ts": "layer.test.ts beside it, and test/e2e/oci-user.test.ts",
  "src/oci/registries.ts": "mirrors.test.ts and credentials.test.ts beside it, and test/e2e/oci-registry-auth.test.ts",
  "src/oci/tree.ts": "import.test.ts beside it",
  "src/oci/unpack-again.ts": "rot.test.ts beside it",
  "src/store/compare-trees.ts": "verification.test.ts beside it",
  "src/store/layer-uses.ts": "test/oci/rot.test.ts",
  "src/store/mend-oci.ts": "test/oci/rot.test.ts",
  "src/oci/files.ts": "layout.test.ts and docker-archive.test.ts beside it",
  "src/fetch/oci.ts": "test/oci/import.test.ts",
  "src/store/verify-layers.ts": "test/oci/rot.test.ts",
  "src/store/digest-blobs.ts": "test/oci/import.test.ts",
  "src/fetch/pending.ts": "import.test.ts and closure.test.ts beside it",
  "src/fetch/unpack.ts": "import.test.ts beside it",
  "src/fetch/member.ts": "closure.test.ts, answers.test.ts, mirrors.test.ts and rollback.test.ts beside it",
  "src/metadata/places.ts": "service.test.ts and register.test.ts beside it",
  "src/metadata/tenants.ts": "service.test.ts beside it and test/e2e/metadata.test.ts",
  "src/cli/commands/index.ts": "test/cli/commands.test.ts",
  "src/site/style.ts": "a style sheet; test/e2e/site-pages.test.ts looks at it",
  "src/site/content.ts": "test/site/staging.test.ts",
  "src/site/refusals.ts": "test/site/publish.test.ts",
  "src/site/latest.ts": "test/site/publish.test.ts",
  "src/compression/damage.ts": "wording; the tests of each format",
  "src/compression/range-coder.ts": "test/compression/xz.test.ts, against xz",
  "src/compression/lzma.ts": "test/compression/xz.test.ts, against xz",
  "src/compression/lzma2.ts": "test/compression/xz.test.ts, against xz",
  "src/compression/zstd-bits.ts": "test/compression/zstd.test.ts, against zstd",
  "src/tar/body.ts": "test/tar/read.test.ts",
  "src/compression/zstd-worker.ts": "test/compression/zstd-encoder.test.ts",
  "src/compression/zstd-fse.ts": "test/compression/zstd.test.ts, against zstd",
  "src/compression/zstd-literals.ts": "test/compression/zstd.test.ts, against zstd",
  "src/compression/zstd-sequences.ts": "test/compression/zstd.test.ts, against zstd",
  "src/compression/bzip2-block.ts": "test/compression/bzip2.test.ts, against bzip2",
};

/** Data tables and files that may be longer than the limit. */
const mayBeLong: Readonly<Record<string, string>> = {};

/** file → why it may start other programs. */
const mayStartPrograms: Readonly<Record<string, string>> = {
  "src/net/plugin.ts": "network plugins are programs",
  "src/net/rules.ts": "nft, and iptables for what plugins leave there",
  "src/oci/credential-helper.ts": "docker-credential-NAME keep passwords",
  "src/trust/gpg.ts": "signs with keys that only the user's gpg-agent can use",
  "src/compression/zstd-encoder.ts": "threads of its own program",
  "src/compression/zstd-worker.ts": "is such a thread",
};

/** file → why a prefix that is no plain literal, or has a slash, is right there. */
const mayCompareByPrefix: Readonly<Record<string, string>> = {
  "src/fetch/discover.ts": "takes the URL off a message that repeats it",
  "src/fetch/reference.ts": "whether a reference is an absolute path",
  "src/http/url.ts": "whether a Location leaves the host; the URL parser decides where it leads",
  "src/tar/resolve.ts": "a constant prefix of PAX keywords",
  "src/tar/sparse.ts": "a constant prefix of PAX keywords",
  "src/pod/users.ts": "whether a word is an absolute path, not where it leads",
  "src/pod/in-root.ts": "whether a link's target is absolute, not where it leads",
};

interface Source {
  readonly path: string;
  readonly folder: string;
  readonly text: string;
  /** Without comments: a rule about code is not about words. */
  readonly code: string;
  readonly imports: readonly string[];
}

function filesBelow(directory: string, suffix: string): readonly string[] {
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(suffix))
    .map((name) => join(directory, name))
    .sort();
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[\s;{}(),])\/\/.*$/gm, "$1");
}

/** The formatter writes every import, export and import() so that this finds it. */
function importsOf(code: string): readonly string[] {
  const patterns = [
    /^(?:import|export)\s[^"';]*?from\s+"([^"]+)"/gm,
    /^import\s+"([^"]+)"/gm,
    /\bimport\(\s*"([^"]+)"/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1] ?? ""));
}

function readSource(path: string): Source {
  const text = readFileSync(path, "utf8");
  const code = withoutComments(text);
  const [, first = "", second] = path.split("/");
  return { path, folder: second === undefined ? basename(first, ".ts") : first, text, code, imports: importsOf(code) };
}

const sources = filesBelow("src", ".ts").map(readSource);
const tests = filesBelow("test", ".test.ts");

/** The folder of src/ that a relative import leads to. */
function targetFolder(source: Source, specifier: string): string {
  const [, first = "", second] = normalize(join(dirname(source.path), specifier)).split("/");
  return second === undefined ? basename(first, ".ts") : first;
}

const relativeImports = (source: Source) => source.imports.filter((name) => /^\.\.?\//.test(name));
const packageImports = (source: Source) => source.imports.filter((name) => !/^(?:\.\.?\/|node:)/.test(name));
const offenders = (pattern: RegExp, allowed: readonly string[]) =>
  sources.filter(({ path, code }) => pattern.test(code) && !allowed.includes(path)).map(({ path }) => path);

describe("architecture: imports", () => {
  it("sees the files it judges", () => {
    assert.ok(sources.length > 50, `only ${sources.length} files below src/`);
    const count = sources.reduce((sum, source) => sum + source.imports.length, 0);
    assert.ok(count > 2 * sources.length, `only ${count} imports`);
  });
  it("finds every form of import", () => {
    const code =
      'import { a } from "./a.ts";\nimport type {\n  B,\n} from "b";\nimport "c";\nexport * from "./d.ts";\nawait import("e");';
    assert.deepEqual([...importsOf(code)].sort(), ["./a.ts", "./d.ts", "b", "c", "e"]);
  });
  for (const source of sources) {
    it(source.path, () => {
      const allowed = mayImport[source.folder];
      assert.ok(allowed !== undefined, `there is no folder ${source.folder} in the table`);
      for (const specifier of relativeImports(source)) {
        assert.match(specifier, /\.ts$/);
        const folder = targetFolder(source, specifier);
        assert.ok(
          folder === source.folder || allowed.includes(folder),
          `${source.folder} imports ${folder}: ${specifier}`,
        );
        assert.ok(existsSync(join(dirname(source.path), specifier)), `${specifier} is not there`);
      }
      for (const name of packageImports(source)) {
        assert.ok(owners[name]?.includes(source.folder) === true, `${source.folder} imports the package ${name}`);
      }
    });
  }
  it("the table has no cycle", () => {
    const below: string[] = [];
    for (const [folder, allowed] of Object.entries(mayImport)) {
      for (const name of allowed) assert.ok(below.includes(name), `${folder} imports ${name}, which is not below it`);
      below.push(folder);
    }
  });
  it("no cycle of files", () => {
    const graph = new Map(
      sources.map((source) => [
        source.path,
        relativeImports(source).map((name) => normalize(join(dirname(source.path), name))),
      ]),
    );
    const done = new Set<string>();
    const visit = (path: string, trail: readonly string[]): void => {
      assert.ok(!trail.includes(path), `${[...trail, path].join(" → ")}`);
      if (done.has(path)) return;
      for (const next of graph.get(path) ?? []) if (!isTypeOnly(path, next)) visit(next, [...trail, path]);
      done.add(path);
    };
    for (const path of graph.keys()) visit(path, []);
  });
  it("every package of package.json has an owner, and every owner is a package of it", () => {
    const { dependencies } = JSON.parse(readFileSync("package.json", "utf8"));
    assert.deepEqual(Object.keys(dependencies).sort(), Object.keys(owners).sort());
  });
});

/** Whether `from` needs of `to` nothing but types, which are gone when the program runs. */
function isTypeOnly(from: string, to: string): boolean {
  const { code } = sources.find(({ path }) => path === from) ?? { code: "" };
  const statements = [...code.matchAll(/^(?:import|export)\s([^"';]*?)from\s+"([^"]+)"/gm)];
  const own = statements.filter((match) => normalize(join(dirname(from), match[2] ?? "")) === to);
  return own.length > 0 && own.every((match) => /^type\s/.test(match[1] ?? ""));
}

describe("architecture: sizes", () => {
  for (const [suffix, directories, limit] of [
    [".ts", ["src", "bench"], 300],
    [".ts", ["test"], 500],
    [".c", ["native", "test"], 400],
    [".h", ["native"], 400],
  ] as const) {
    it(`no ${suffix} file of ${directories.join(", ")} has more than ${limit} lines`, () => {
      const files = directories.flatMap((directory) => filesBelow(directory, suffix));
      const long = files.filter((path) => readFileSync(path, "utf8").split("\n").length - 1 > limit);
      assert.deepEqual(
        long.filter((path) => mayBeLong[path] === undefined),
        [],
      );
    });
  }
  it("the list of long files is not longer than needed", () => {
    for (const path of Object.keys(mayBeLong)) assert.ok(existsSync(path), path);
  });
  it("functions are measured by the linter", () => {
    const { complexity } = JSON.parse(readFileSync("biome.json", "utf8")).linter.rules;
    assert.equal(complexity.noExcessiveLinesPerFunction.options.maxLines, 60);
    assert.equal(complexity.noExcessiveCognitiveComplexity.options.maxAllowedComplexity, 20);
  });
});

/** src/a/b.ts → test/a/b.test.ts; src/cli/commands/b.ts → test/cli/b.test.ts, where its whole line is tested. */
function testOf(path: string): string {
  return path.replace(/^src\/(.*)\.ts$/, "test/$1.test.ts").replace("/cli/commands/", "/cli/");
}

describe("architecture: twins", () => {
  const commandFiles = sources.filter(
    ({ path }) => dirname(path) === "src/cli/commands" && basename(path) !== "index.ts",
  );
  it("every source file has its test", () => {
    const missing = sources.filter(({ path }) => !existsSync(testOf(path)) && testedElsewhere[path] === undefined);
    assert.deepEqual(
      missing.map(({ path }) => path),
      [],
    );
  });
  it("every listed reason is needed", () => {
    for (const path of Object.keys(testedElsewhere)) assert.ok(existsSync(path) && !existsSync(testOf(path)), path);
  });
  it("every command imports its verb of api/", () => {
    const without = commandFiles.filter(({ code }) => !/from "\.\.\/\.\.\/api\/[a-z-]+\.ts"/.test(code));
    assert.deepEqual(
      without.map(({ path }) => path),
      [],
    );
  });
  it("every command is in the table, and only commands have default exports", () => {
    const index = readFileSync("src/cli/commands/index.ts", "utf8");
    for (const { path } of commandFiles) assert.ok(index.includes(`import("./${basename(path)}")`), path);
    assert.deepEqual(
      offenders(
        /\bexport default\b/,
        commandFiles.map(({ path }) => path),
      ),
      [],
    );
  });
});

describe("architecture: who may do what", () => {
  it("only cli/output.ts writes to standard output and standard error", () => {
    const pattern = /\bconsole\.|process\.(?:stdout|stderr)|writeSync\(\s*(?:1|2|standard)|process\.stdin/;
    assert.deepEqual(offenders(pattern, ["src/cli/output.ts"]), []);
  });
  it("only cli/main.ts ends the process", () => {
    assert.deepEqual(offenders(/process\.(?:exit|reallyExit|abort|exitCode)\b/, ["src/cli/main.ts"]), []);
  });
  it("only api/settings.ts reads the environment", () => {
    assert.deepEqual(offenders(/process\.env\b/, ["src/api/settings.ts"]), []);
  });
  it("only shim/ starts other programs", () => {
    const starting = sources.filter(({ code }) => /"node:(?:child_process|worker_threads|cluster)"/.test(code));
    const others = starting.filter(({ folder, path }) => folder !== "shim" && mayStartPrograms[path] === undefined);
    assert.deepEqual(
      others.map(({ path }) => path),
      [],
    );
  });
  it("paths and names are compared by components, never by prefix", () => {
    // A literal without a slash is a keyword's prefix; everything else could be a directory's.
    assert.deepEqual(offenders(/\.startsWith\((?!"[^"/]*"\))/, Object.keys(mayCompareByPrefix)), []);
  });
  it("nobody evaluates text", () => assert.deepEqual(offenders(/\beval\(|new Function\(|node:vm/, []), []));
});

describe("architecture: what is written down", () => {
  const defined = filesBelow("spec", ".md").flatMap((path) =>
    [...readFileSync(path, "utf8").matchAll(/^(?:[-*]|\|)\s*\**([A-Z]{1,6}-[A-Z]?\d+)\b/gm)].map(
      (match) => match[1] ?? "",
    ),
  );
  it("no number is given to two rules", () => {
    assert.deepEqual(
      defined.filter((rule, index) => defined.indexOf(rule) !== index),
      [],
    );
  });
  it("every rule that spec/ defines is named by a test", () => {
    const said = [...tests, ...filesBelow("test", ".ts")].map((path) => readFileSync(path, "utf8")).join("\n");
    const named = new Set(said.match(/\b[A-Z]{1,6}-[A-Z]?\d+\b/g) ?? []);
    assert.deepEqual(
      [...new Set(defined)].filter((rule) => !named.has(rule)),
      [],
    );
  });
  it("the lockfile names no registry", () => {
    assert.doesNotMatch(readFileSync("package-lock.json", "utf8"), /https?:\/\/[^"]*registry|"resolved"/);
  });
  it("every test that is skipped is expected", () => {
    const expected: unknown = JSON.parse(readFileSync("test/expected-skips.json", "utf8"));
    assert.ok(Array.isArray(expected));
  });
});
