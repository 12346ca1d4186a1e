import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { aclFromText, aclToText, isPlainAcl } from "../../src/tar/acl.ts";
import type { TarMember } from "../../src/tar/entry.ts";
import { readTar } from "../../src/tar/read.ts";
import { writeTar } from "../../src/tar/write.ts";
import { chunks, collect } from "../helpers/tar-bytes.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const parse = (text: string): Buffer | undefined => aclFromText(Buffer.from(text));
const base = "user::rw-,group::r--,other::---";

describe("aclFromText (X06)", () => {
  it("is the kernel's form, in its order", () => {
    const value = parse("other::r--,mask::rw-,group:7:-w-,group::--x,user:9:rwx,user:8:---,user::rwx");
    const entries = "01000700ffffffff 0200000008000000 0200070009000000 04000100ffffffff 0800020007000000";
    assert.equal(value?.toString("hex"), `02000000${entries}10000600ffffffff20000400ffffffff`.replaceAll(" ", ""));
  });
  for (const [why, text] of [
    ["short words, lines, blanks and comments", "u::rw-\n g::r-- #effective:---\no::---\n\n# end"],
    ["other and mask without their empty field", "user::rw-,group::r--,other:---"],
    ["letters in any number", "user::wr,group::r,other::-"],
  ] as const) {
    it(`takes ${why}`, () => assert.deepEqual(parse(text), parse(base)));
  }
  it("takes the number behind a name, as star writes it", () => {
    assert.deepEqual(parse(`${base},mask::r--,user:lisa:r--:502`), parse(`${base},mask::r--,user:502:r--`));
  });
  it("root is 0 everywhere", () => {
    assert.deepEqual(parse(`${base},mask::r--,user:root:r--`), parse(`${base},mask::r--,user:0:r--`));
  });
  for (const [why, text] of [
    ["nothing", ""],
    ["a name without a number", `${base},mask::r--,user:lisa:r--`],
    ["no group", "user::rw-,other::---"],
    ["two owners", `${base},user::r--`],
    ["somebody named, but no mask", `${base},user:5:r--`],
    ["somebody twice", `${base},mask::r--,user:5:r--,user:5:rw-`],
    ["a mask of somebody", `${base},mask:5:r--`],
    ["the number that means nobody", `${base},mask::r--,user:4294967295:r--`],
    ["a number too large", `${base},mask::r--,user:99999999999:r--`],
    ["permissions that are none", "user::rwz,group::r--,other::---"],
    ["another kind", `${base},everyone::r--`],
    ["a word of objects", `${base},constructor::r--`],
    ["too many fields", `${base},mask::r--,user:lisa:r--:5:6`],
  ] as const) {
    it(`refuses ${why}`, () => assert.equal(parse(text), undefined));
  }
});

describe("aclToText", () => {
  it("is read again as the same value", () => {
    const text = "user::rw-,user:1000:rwx,group::r--,group:0:--x,mask::rwx,other::---";
    const value = parse(text);
    assert.ok(value !== undefined);
    assert.equal(aclToText(value), text);
  });
  it("is nothing for what would not be the same: another order, version, tag or length", () => {
    const value = parse(`${base},mask::r--,user:5:r--,user:6:r--`) ?? Buffer.alloc(0);
    const swapped = Buffer.concat([
      value.subarray(0, 12),
      value.subarray(20, 28),
      value.subarray(12, 20),
      value.subarray(28),
    ]);
    const [newer, unknown] = [Buffer.from(value), Buffer.from(value)];
    newer.writeUInt32LE(3, 0);
    unknown.writeUInt16LE(0x40, 4);
    for (const other of [swapped, newer, unknown, value.subarray(0, 13), Buffer.alloc(0)]) {
      assert.equal(aclToText(other), undefined);
    }
  });
});

describe("isPlainAcl", () => {
  it("says no more than the mode", () => {
    const value = parse(base) ?? Buffer.alloc(0);
    assert.deepEqual(
      [isPlainAcl(value, 0o640), isPlainAcl(value, 0o4640), isPlainAcl(value, 0o644)],
      [true, true, false],
    );
  });
});

describe("ACLs against GNU tar (ACI-4, X06)", () => {
  const attribute = (path: string, name: string): string =>
    execFileSync("getfattr", ["--only-values", "-n", name, path]).toString("hex");

  it("what tar --acls writes is the attribute of the file, and what we write is set by tar --acls", async (context) => {
    const directory = await temporaryDirectory(context);
    const [tree, back] = [join(directory, "tree"), join(directory, "back")];
    mkdirSync(tree);
    mkdirSync(back);
    mkdirSync(join(tree, "d"));
    writeFileSync(join(tree, "f"), "x", { mode: 0o640 });
    execFileSync("setfacl", ["-m", "u:54321:rwx,u:54323:-,g:54322:r", join(tree, "f")]);
    execFileSync("setfacl", ["-d", "-m", "u:54321:rx,u:root:-", join(tree, "d")]);
    const theirs = execFileSync("tar", ["--acls", "--numeric-owner", "--format=pax", "-C", tree, "-c", "d", "f"]);
    const members: TarMember[] = [];
    for await (const member of readTar(chunks(theirs))) members.push(member);
    const [d, f] = members;
    const expected = [attribute(join(tree, "d"), "system.posix_acl_default")];
    expected.push(attribute(join(tree, "f"), "system.posix_acl_access"));
    const values = [d, f].map((member) => member?.xattrs.map(({ value }) => value.toString("hex")).join());
    assert.deepEqual(values, expected);
    assert.deepEqual(
      members.map(({ dropped }) => dropped),
      [undefined, undefined],
    );

    const ours = await collect(writeTar(readTar(chunks(theirs)), { textAcls: true }));
    execFileSync("tar", ["--acls", "--numeric-owner", "-p", "-C", back, "-x"], { input: ours });
    assert.equal(attribute(join(back, "d"), "system.posix_acl_default"), expected[0]);
    assert.equal(attribute(join(back, "f"), "system.posix_acl_access"), expected[1]);
  });
});
