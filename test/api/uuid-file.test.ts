import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { podsFrom, readUuidFile, removeUuidFile, saveUuidFile } from "../../src/api/uuid-file.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const uuid = "6f3a1c52-7f0e-4c43-9d3a-0b8f6f1d2e11";

describe("the uuid file", () => {
  it("holds the uuid and nothing else, for everybody to read", async (t) => {
    const file = join(await temporaryDirectory(t), "web.uuid");
    await saveUuidFile(file, uuid);
    assert.equal(readFileSync(file, "utf8"), uuid);
    assert.equal(statSync(file).mode & 0o777, 0o644 & ~process.umask());
    assert.deepEqual(await podsFrom([], file), [uuid]);
    await saveUuidFile(file, uuid.toUpperCase());
    assert.equal(await readUuidFile([], file), uuid.toUpperCase());
  });

  it("may end with a newline that somebody's editor added", async (t) => {
    const file = join(await temporaryDirectory(t), "web.uuid");
    writeFileSync(file, `${uuid}\n`);
    assert.equal(await readUuidFile([], file), uuid);
  });

  it("is taken back, once or twice", async (t) => {
    const file = join(await temporaryDirectory(t), "web.uuid");
    await saveUuidFile(file, uuid);
    await removeUuidFile(file);
    assert.equal(existsSync(file), false);
    await removeUuidFile(file);
  });

  it("that is not there is 3, one that cannot be written a failure that names it", async (t) => {
    const directory = await temporaryDirectory(t);
    await assert.rejects(podsFrom([], join(directory, "none")), fails("NOT_FOUND", /none/));
    await assert.rejects(saveUuidFile(join(directory, "no", "file"), uuid), fails("NOT_FOUND", /cannot write/));
    await assert.rejects(saveUuidFile(directory, uuid), fails("IO_FAILED", /cannot write/));
  });
});

describe("which pods a line means", () => {
  it("its arguments, or the file's, never both or none", async () => {
    assert.deepEqual(await podsFrom(["a", "b"], undefined), ["a", "b"]);
    await assert.rejects(podsFrom([], undefined), fails("USAGE"));
    await assert.rejects(podsFrom(["a"], "file"), fails("USAGE"));
  });
  it("one, where one is needed", async () => {
    assert.equal(await readUuidFile(["a"], undefined), "a");
    await assert.rejects(readUuidFile(["a", "b"], undefined), fails("USAGE", /one pod/));
  });
});
