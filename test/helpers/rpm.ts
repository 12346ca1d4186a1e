/** rpm databases by other hands than ours: rpm itself, sqlite3, and Berkeley DB's own loader. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface RpmSpec {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  readonly epoch?: number;
  readonly licence: string;
}

/** The bytes of `rpmdb.sqlite`, with these packages, by rpm. `directory` is the test's own. */
export function makeRpmDatabase(directory: string, specs: readonly RpmSpec[]): Buffer {
  const data = join(directory, "rpmdb");
  mkdirSync(data);
  const rpm = (...args: readonly string[]) =>
    execFileSync("rpm", ["--define", "_db_backend sqlite", "--dbpath", data, ...args], { stdio: "pipe" });
  rpm("--initdb");
  for (const spec of specs) {
    rpm("--force-debian", "-i", "--justdb", "--nodeps", "--ignorearch", "--ignoreos", buildRpm(directory, spec));
  }
  return readFileSync(join(data, "rpmdb.sqlite"));
}

function buildRpm(directory: string, { name, version, release, epoch, licence }: RpmSpec): string {
  const spec = join(directory, `${name}.spec`);
  const lines = [
    `Name: ${name}`,
    `Version: ${version}`,
    `Release: ${release}`,
    ...(epoch === undefined ? [] : [`Epoch: ${epoch}`]),
    "Summary: A package of a test",
    `License: ${licence}`,
    "URL: https://example.com/package",
    "Vendor: Example",
    "BuildArch: noarch",
    "%description",
    "Nothing.",
    "%files",
  ];
  writeFileSync(spec, `${lines.join("\n")}\n`);
  const top = join(directory, "rpmbuild");
  execFileSync("rpmbuild", ["--define", `_topdir ${top}`, "-bb", spec], { stdio: "pipe" });
  return join(top, "RPMS", "noarch", `${name}-${version}-${release}.noarch.rpm`);
}

/** Runs SQL in the database `file`. @returns what it prints, without the last line end */
export function sqlite(file: string, sql: string): string {
  return execFileSync("sqlite3", [file], { input: sql, encoding: "utf8", maxBuffer: 256 * 1024 * 1024 }).replace(
    /\n$/,
    "",
  );
}

/** The package headers in `rpmdb.sqlite`, as sqlite3 reads them. */
export function headersOf(directory: string, database: Buffer): readonly Buffer[] {
  const file = join(directory, "headers.sqlite");
  writeFileSync(file, database);
  const text = sqlite(file, "select hex(blob) from Packages order by hnum;");
  return text.split("\n").map((line) => Buffer.from(line, "hex"));
}

/** A Berkeley DB hash table with these values under the keys 1, 2, …, as rpm had it, by db_load. */
export function makeBerkeleyTable(directory: string, values: readonly Buffer[], pageSize = 4096): Buffer {
  const file = join(directory, "Packages");
  const key = (number: number): string => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(number);
    return ` ${bytes.toString("hex")}`;
  };
  const pairs = values.flatMap((value, index) => [key(index + 1), ` ${value.toString("hex")}`]);
  const head = ["VERSION=3", "format=bytevalue", "type=hash", `db_pagesize=${pageSize}`, "HEADER=END"];
  const input = [...head, key(0), ` ${key(values.length + 1).trim()}`, ...pairs, "DATA=END", ""].join("\n");
  execFileSync("db5.3_load", [file], { input });
  return readFileSync(file);
}

/** Packages.db as rpm's ndb lays it out, since Debian's rpm cannot write one: a page of slots, then the packages in blocks of 16 bytes. */
export function makeNdb(values: readonly Buffer[]): Buffer {
  const [page, block] = [4096, 16];
  const slots = Buffer.alloc(page);
  for (let at = 32; at < page; at += 16) slots.write("Slot", at, "latin1");
  slots.write("RpmP", 0, "latin1");
  slots.writeUInt32LE(1, 8);
  slots.writeUInt32LE(1, 12);
  slots.writeUInt32LE(values.length + 1, 16);
  const blobs: Buffer[] = [];
  let offset = page / block;
  for (const [index, value] of values.entries()) {
    const blocks = Math.ceil((16 + value.length + 12) / block);
    const blob = Buffer.alloc(blocks * block);
    blob.write("BlbS", 0, "latin1");
    blob.writeUInt32LE(index + 1, 4);
    blob.writeUInt32LE(1, 8);
    blob.writeUInt32LE(value.length, 12);
    value.copy(blob, 16);
    blob.write("BlbE", blob.length - 4, "latin1");
    blobs.push(blob);
    // The first slot stays free, as after a package was removed.
    const slot = 32 + 16 * (index + 1);
    for (const [field, number] of [index + 1, offset, blocks].entries())
      slots.writeUInt32LE(number, slot + 4 + 4 * field);
    offset += blocks;
  }
  return Buffer.concat([slots, ...blobs]);
}

/** Every copy of `bytes` with one byte made another, `count` of them, spread evenly; and its beginnings. For readers that must not trust any. */
export function* damaged(bytes: Buffer, count: number): Generator<Buffer> {
  const step = Math.max(1, Math.floor(bytes.length / count));
  for (let at = 0; at < bytes.length; at += step) {
    for (const value of [0x00, 0xff, (bytes[at] ?? 0) ^ 0x01]) {
      const copy = Buffer.from(bytes);
      copy[at] = value;
      yield copy;
    }
    yield bytes.subarray(0, at);
  }
}
