// dist/perigee.cjs: loads the chunks of the bundle. Those of a pack come from its one source and V8's code cache, the others from their files.
// Node's own loader is not used for them: it would look for the real path and the package of each.
"use strict";
const { readFileSync } = require("node:fs");
const { Script } = require("node:vm");

const scripts = new Map();
/** Name → the chunk's function, or the pack that it lies in. */
const chunks = {};
const loaded = new Map();

function readCache(path) {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function openPack(name) {
  const filename = `${__dirname}/${name}`;
  const cachedData = readCache(`${filename}.cache`);
  // The bundle is ASCII.
  const script = new Script(readFileSync(filename, "latin1"), { filename, cachedData });
  scripts.set(name, script);
  Object.assign(chunks, script.runInThisContext());
}

function compileFile(filename) {
  const source = `(function(module,exports,require,__dirname,__filename){${readFileSync(filename, "latin1")}\n})`;
  return new Script(source, { filename }).runInThisContext();
}

function find(name, filename) {
  if (typeof chunks[name] === "string") openPack(chunks[name]);
  return chunks[name] ?? compileFile(filename);
}

function load(name) {
  if (name.charCodeAt(0) !== 46) return require(name);
  const known = loaded.get(name);
  if (known !== undefined) return known.exports;
  const module = { exports: {} };
  loaded.set(name, module);
  const filename = `${__dirname}/${name.slice(2)}`;
  find(name, filename)(module, module.exports, load, __dirname, filename);
  return module.exports;
}

/** A module of Node that is loaded when a property of it is read. */
load.later = (name) => {
  let module;
  return new Proxy(
    {},
    {
      get(_, property) {
        module ??= require(name);
        return module[property];
      },
    },
  );
};

module.exports = scripts;
openPack("start.js");
load("./main.cjs");
