// Runs one line of the built program and keeps the code that V8 compiled for it: record.cjs DIST WORD…
"use strict";
const { writeFileSync } = require("node:fs");
const { join } = require("node:path");

const [, , directory, ...line] = process.argv;
const program = join(directory, "perigee.cjs");
process.argv.splice(1, process.argv.length - 1, program, ...line);
process.on("exit", () => {
  for (const [name, script] of require.cache[program].exports) {
    writeFileSync(join(directory, `${name}.cache`), script.createCachedData());
  }
});
require(program);
