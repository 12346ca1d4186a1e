// Runs one line of the built program and keeps the code that V8 compiled for it: record.cjs DIST PACKS WORD…
// Of the packs named, with commas between them, so that what one command needs does not make another's start longer.
// Where the program would become another one by execve, it ends.
"use strict";
const { writeFileSync } = require("node:fs");
const { join } = require("node:path");

const [, , directory, packs, ...line] = process.argv;
const program = join(directory, "perigee.cjs");
process.argv.splice(1, process.argv.length - 1, program, ...line);

/** koffi's functions, but for execve. */
const { dlopen } = process;
process.dlopen = (module, ...rest) => {
  dlopen.call(process, module, ...rest);
  const { load } = module.exports;
  module.exports.load = (...names) => {
    const library = load(...names);
    return {
      func: (declaration) => (/\bexecve\(/.test(declaration) ? () => process.exit(0) : library.func(declaration)),
    };
  };
};

process.on("exit", () => {
  for (const [name, script] of require.cache[program].exports) {
    if (packs.split(",").includes(name)) writeFileSync(join(directory, `${name}.cache`), script.createCachedData());
  }
});
require(program);
