import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { contentOf, findSources, openContext } from "../../src/recipe/context.ts";
import { fails } from "../helpers/failures.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
before(async () => {
  world = await RecipeWorld.open();
});
after(() => world.remove());
beforeEach(() => {
  rmSync(world.path("context"), { recursive: true });
  mkdirSync(world.path("context"));
  world.files("outside", { canary: "outside" });
});

async function allOf(chunks: AsyncIterable<Uint8Array>): Promise<readonly Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

const open = () => openContext(world.path("context"));
/** `name: path path …` of each source. */
const found = (from: string) =>
  findSources(open(), from).map(({ name, files }) => [name, ...files.map(({ path }) => path)].join(" "));

describe("findSources", () => {
  it("a file, a directory with all in it, the whole context", () => {
    world.context({ "a/b/c": "1", "a/d": "2", e: "3" });
    assert.deepEqual(found("e"), ["e "]);
    assert.deepEqual(found("./a/"), ["a  b b/c d"]);
    assert.deepEqual(found("."), ["  a a/b a/b/c a/d e"]);
  });
  it("RECIPE-12: globs, in byte order; what lies in a match comes with it", () => {
    world.context({ "a/1.txt": "1", "a/2.txt": "2", "a/3.md": "3", "a/d.txt/in": "4", "b/c/4.txt": "5" });
    assert.deepEqual(found("a/*.txt"), ["1.txt ", "2.txt ", "d.txt  in"]);
    assert.deepEqual(found("**/*.md"), ["3.md "]);
    assert.deepEqual(found("b/**/4.txt"), ["4.txt "]);
  });
  it("RECIPE-13: what the ignore file names is not there", () => {
    world.context({
      ".perigeeignore": "*.log\nsecret/\n!keep.log\n",
      "a/x.log": "1",
      "a/keep.log": "2",
      "secret/key": "3",
    });
    assert.deepEqual(found("a"), ["a  keep.log"]);
    assert.deepEqual(found("*"), [".perigeeignore ", "a  keep.log"]);
    assert.throws(() => found("secret"), fails("NOT_FOUND", /secret/, { cause: /\.perigeeignore/ }));
    assert.throws(() => found("a/x.log"), fails("NOT_FOUND"));
  });
  it("RECIPE-11: no way leads out of the context", () => {
    world.context({ "in/file": "1" });
    symlinkSync("../outside", world.path("context/relative"));
    symlinkSync(world.path("outside"), world.path("context/absolute"));
    symlinkSync("in", world.path("context/inside"));
    for (const from of ["relative/canary", "absolute/canary", "relative/*"]) {
      assert.throws(() => found(from), fails("NOT_FOUND"), from);
    }
    assert.deepEqual(found("inside/file"), ["file "]);
    const [source] = findSources(open(), "relative");
    assert.deepEqual([source?.files[0]?.type, source?.files[0]?.link], ["symlink", "../outside"]);
  });
  it("RECIPE-11: a directory exchanged for a link between the look and the reading is not followed", async () => {
    world.context({ "a/canary": "outside" });
    const context = open();
    const [source] = findSources(context, "a");
    rmSync(world.path("context/a"), { recursive: true });
    symlinkSync("../outside", world.path("context/a"));
    const file = source?.files.at(-1);
    assert.ok(file !== undefined && file.type === "file");
    await assert.rejects(allOf(contentOf(context, file)), fails("DIGEST_MISMATCH", /changed/));
  });
  it("names that are no UTF-8 survive", async () => {
    const name = Buffer.concat([Buffer.from(world.path("context/")), Buffer.from([0x66, 0xff])]);
    writeFileSync(name, "bytes");
    const context = open();
    const [source] = findSources(context, "*");
    assert.equal(source?.name, "f\u00ff");
    const file = source?.files[0];
    assert.ok(file !== undefined);
    assert.equal(Buffer.concat(await allOf(contentOf(context, file))).toString(), "bytes");
  });
  it("RECIPE-11: a FIFO or a socket is refused and named, and nobody speaks of an image", async () => {
    const about = (kind: string) =>
      fails("RECIPE_INVALID", new RegExp(`^RECIPE-11: \\S+ in the context directory is a ${kind}$`), {
        hint: /ignore/,
      });
    execFileSync("mkfifo", [world.path("context/fifo")]);
    assert.throws(() => found("fifo"), about("FIFO"));
    assert.throws(() => found("."), about("FIFO"));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(world.path("context/socket"), resolve));
    try {
      assert.throws(() => found("socket"), about("socket"));
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
  it("RECIPE-13: an ignore file that is no small file is refused as one of the context", () => {
    for (const make of [
      (path: string) => execFileSync("mkfifo", [path]),
      (path: string) => mkdirSync(path),
      (path: string) => symlinkSync(".perigeeignore", path),
      (path: string) => writeFileSync(path, "x".repeat(64 * 1024 + 1)),
    ]) {
      make(world.path("context/.perigeeignore"));
      assert.throws(open, fails("RECIPE_INVALID", /^\.perigeeignore in the context directory .* is not a file/));
      rmSync(world.path("context/.perigeeignore"), { recursive: true });
    }
  });
  it("nothing is found by nothing", () => {
    for (const from of ["absent", "absent/*", "*.absent", "a/**"])
      assert.throws(() => found(from), fails("NOT_FOUND"), from);
  });
});

describe("contentOf", () => {
  it("what has changed since it was found is refused", async () => {
    world.context({ file: "before" });
    const context = open();
    const file = findSources(context, "file")[0]?.files[0];
    assert.ok(file !== undefined);
    for (const text of ["behind", "short", "longer than it was"]) {
      writeFileSync(world.path("context/file"), text);
      if (text.length > 6) continue;
      await assert.rejects(allOf(contentOf(context, file)), fails("DIGEST_MISMATCH"), text);
    }
  });
});

it("a context that is not there", () => {
  assert.throws(() => openContext("/nonexistent/context"), fails("NOT_FOUND", /context/, { hint: /--context/ }));
});
