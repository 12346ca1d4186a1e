// Builds native/ and bundles src/ to dist/; with --tests also compiles everything to build/.
// Runs after setup.mjs, so esbuild and the compiler are there.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build as bundle, transform } from "esbuild";
import { recordCodeCache } from "./code-cache.mjs";
import { inWords } from "./setup.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = "node20.19";

/** Loaded from node_modules as they are: openpgp is LGPL and must stay replaceable, koffi and zstd-wasm hold what is no JavaScript. */
const external = ["openpgp", "koffi", "@bokuweb/zstd-wasm"];

/** commander loads node:child_process for subcommands that are programs of their own. We have none, and it costs 4 ms at every start. */
const withoutChildProcess = {
  name: "commander-without-child-process",
  setup(builder) {
    builder.onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      importer.includes("/node_modules/commander/") ? { path: "child_process", namespace: "empty" } : undefined,
    );
    builder.onLoad({ filter: /.*/, namespace: "empty" }, () => ({ contents: "module.exports = {};" }));
  },
};

/**
 * What is started often lies in packs, each one file with V8's code cache beside it: one read and no parsing instead of thirty files.
 * The first is read at every start, the second by the commands about pods, the third by those about all of the store, the last by a fetch of what is
 * up to date.
 */
const packs = {
  "start.js": ["src/cli/main.ts", "src/cli/commands/version.ts"],
  "pods.js": ["run", "enter", "list", "status", "stop"].map((name) => `src/cli/commands/${name}.ts`),
  "list.js": ["src/cli/commands/image-list.ts"],
  "relist.js": ["src/store/relist.ts"],
  "images.js": ["src/cli/commands/gc.ts"],
  "fetch.js": [
    ...["src/cli/commands/fetch.ts", "src/api/fetch.ts", "src/api/auth-files.ts", "src/image/limits.ts"],
    ...["client", "agent", "proxy"].map((name) => `src/http/${name}.ts`),
    "src/trust/verify.ts",
    ...["commander/esm.mjs", "node-fetch/src/index.js", "parse5/dist/index.js"].map((path) => `node_modules/${path}`),
  ],
};

/**
 * dist/perigee.cjs (loader.cjs) and one chunk for each `import()` and what they share. esbuild splits only ES modules, whose loading costs
 * Node 5 ms more, so each chunk is converted to CommonJS.
 */
async function bundleProgram() {
  const { outputFiles, metafile } = await bundle({
    entryPoints: { main: join(root, "src/cli/main.ts") },
    outdir: join(root, "dist"),
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target,
    external,
    plugins: [withoutChildProcess],
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    metafile: true,
    write: false,
    logLevel: "warning",
  });
  const staging = join(root, "build/dist");
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { recursive: true });
  const packsOf = assignPacks(metafile);
  const [startPack] = Object.keys(packs);
  const functions = new Map(Object.keys(packs).map((pack) => [pack, []]));
  for (const { path, text } of outputFiles) {
    const name = basename(path).replace(/\.js$/, ".cjs");
    const code = await toCommonJs(text);
    const [pack, ...others] = packsOf.get(`dist/${basename(path)}`) ?? [];
    if (pack === undefined) writeFileSync(join(staging, name), code);
    for (const one of [pack, ...others]) {
      functions.get(one)?.push(`"./${name}"(module,exports,require,__dirname,__filename){${code}}`);
    }
    // The first pack tells where the chunks of the others are.
    if (pack !== undefined && pack !== startPack) functions.get(startPack).push(`"./${name}":"${pack}"`);
  }
  for (const [pack, chunks] of functions) writeFileSync(join(staging, pack), `({${chunks.join(",\n")}})`);
  await bundleWorker(staging);
  copyFileSync(join(root, "scripts/loader.cjs"), join(staging, "perigee.cjs"));
  writeFileSync(join(root, "build/bundle.json"), JSON.stringify(metafile));
  await recordCodeCache(staging);
  return staging;
}

/** A thread has Node's own require and not the loader's, so its program is one file that shares no chunk. */
async function bundleWorker(staging) {
  await bundle({
    entryPoints: [join(root, "src/compression/zstd-worker.ts")],
    outfile: join(staging, "zstd-worker.cjs"),
    bundle: true,
    format: "cjs",
    platform: "node",
    target,
    external,
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    logLevel: "warning",
  });
}

/**
 * chunk → packs, for the chunks of each pack's entries and everything these import statically. What the first pack has no other needs; else each
 * has all of its own, so that a command opens one pack beside the first: to read the code of the others costs more than to have some of it twice.
 */
function assignPacks({ outputs }) {
  const packsOf = new Map();
  const [startPack] = Object.keys(packs);
  for (const [pack, entries] of Object.entries(packs)) {
    const add = (name) => {
      const known = packsOf.get(name) ?? [];
      if (known.includes(startPack) || known.includes(pack)) return;
      packsOf.set(name, [...known, pack]);
      for (const { path, kind } of outputs[name].imports) if (kind === "import-statement" && path in outputs) add(path);
    };
    for (const [name, { entryPoint }] of Object.entries(outputs)) if (entries.includes(entryPoint)) add(name);
  }
  return packsOf;
}

async function toCommonJs(text) {
  // Chunks name each other by "./chunk-X.js"; strings of this form occur nowhere else in them.
  const renamed = text.replace(/(["'])(\.\/[\w.-]+)\.js\1/g, "$1$2.cjs$1");
  const usesUrl = renamed.includes("import.meta.url");
  const { code } = await transform(renamed, {
    format: "cjs",
    platform: "node",
    target,
    minifySyntax: true,
    minifyWhitespace: true,
    define: {
      "import.meta.url": "importMetaUrl",
      "import.meta.dirname": "__dirname",
      "import.meta.filename": "__filename",
    },
    banner: usesUrl ? 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' : "",
    // import() becomes require(), behind a promise.
    supported: { "dynamic-import": false },
    logLevel: "error",
  });
  return withDirectExports(code).replace(builtIn, (whole, name) =>
    alwaysLoaded.includes(name) ? whole : `=require.later("${name}")`,
  );
}

const copiedExports = "module.exports=__toCommonJS(stdin_exports)";

/**
 * Of the object with the exports esbuild makes a copy, whose properties ask for those of the first by name: every use of another chunk's
 * function or constant would be two calls and a search, in loops too, and none of it would be inlined.
 */
function withDirectExports(code) {
  if (!code.includes("stdin_exports")) return code;
  if (code.split(copiedExports).length !== 2) throw new Error("esbuild writes the exports of a chunk in another way");
  return code.replace(copiedExports, 'module.exports=__defProp(stdin_exports,"__esModule",{value:!0})');
}

/** Loaded by Node itself before the program begins. */
const alwaysLoaded = ["node:fs", "node:buffer", "node:path", "node:events", "node:process"];

/**
 * What named imports of Node's modules became; each use reads a property of it. Such a module is loaded at its first use: node:crypto,
 * node:child_process and node:fs/promises together would cost as much as all of our own code.
 */
const builtIn = /=require\("(node:[\w/]+)"\)/g;

function make(...args) {
  const { status } = spawnSync("make", ["--silent", `--jobs=${availableParallelism()}`, ...args], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) throw new Error(`make ${args.join(" ")} failed`);
}

/** esbuild and tsc take less than a second, so nothing is kept from the last time: no stale chunk, no test of a removed file. */
export async function build({ tests = false } = {}) {
  make("-C", "native");
  make("-C", "native/launcher");
  if (tests) compileTests();
  const staging = await bundleProgram();
  for (const name of ["perigee", "perigee-shim"]) {
    copyFileSync(join(root, "native/build", name), join(staging, name));
    chmodSync(join(staging, name), 0o755);
  }
  rmSync(join(root, "dist"), { recursive: true, force: true });
  renameSync(staging, join(root, "dist"));
}

function compileTests() {
  rmSync(join(root, "build"), { recursive: true, force: true });
  const compiler = join(root, "node_modules/typescript", binOf("typescript", "tsc"));
  const { status } = spawnSync(process.execPath, [compiler], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) throw new Error("the TypeScript compiler found mistakes");
}

function binOf(name, command) {
  return JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")).bin[command];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await inWords(() => build({ tests: process.argv.includes("--tests") }));
}
