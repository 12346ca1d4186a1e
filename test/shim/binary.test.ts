import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { type Scratch, scratch } from "../helpers/shim.ts";

let scene: Scratch;
beforeEach(() => {
  scene = scratch();
});
afterEach(() => scene.remove());

/** shimPath() of the module when its files lie in `directory`. */
function lookUp(directory: string, before = ""): string {
  cpSync("build/src/shim", scene.at(directory, "shim"), { recursive: true });
  cpSync("build/src/base", scene.at(directory, "base"), { recursive: true });
  writeFileSync(scene.at("package.json"), '{"type":"module"}');
  const module = pathToFileURL(scene.at(directory, "shim/binary.js")).href;
  const script = `import { shimPath, setShimPath } from ${JSON.stringify(module)}; ${before}
    try { console.log(shimPath()) } catch ({ code, hint }) { console.log(code, hint) }`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  assert.equal(stderr, "");
  return stdout.trim().replaceAll(scene.path, "");
}

function put(path: string): void {
  mkdirSync(scene.at(path, ".."), { recursive: true });
  writeFileSync(scene.at(path), "");
}

describe("shimPath", () => {
  it("beside the bundle", () => {
    put("dist/perigee-shim");
    assert.equal(lookUp("dist"), "/dist/perigee-shim");
  });

  it("in native/build of a checkout, from its compiled and from its source files", () => {
    put("native/build/perigee-shim");
    assert.equal(lookUp("build/src"), "/native/build/perigee-shim");
    assert.equal(lookUp("src"), "/native/build/perigee-shim");
  });

  it("what was set wins", () => {
    assert.equal(lookUp("dist", 'setShimPath("/elsewhere/shim");'), "/elsewhere/shim");
  });

  it("nowhere: the command that builds it; a directory of the name is none", () => {
    mkdirSync(scene.at("dist/perigee-shim"), { recursive: true });
    assert.equal(lookUp("dist"), "SHIM_MISSING npm run build");
  });
});
