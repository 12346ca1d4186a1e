/** GNU tar is the oracle of its own forms; the wrong ones are written by hand. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { defaultTarLimits, type TarLimits } from "../../src/tar/limits.ts";
import { readTar } from "../../src/tar/read.ts";
import { fails } from "../helpers/failures.ts";
import { chunks, collect, type RawMember, tarBytes } from "../helpers/tar-bytes.ts";
import { makeTemporary } from "../helpers/temporary.ts";

const forms = [["--format=gnu"], ...["0.0", "0.1", "1.0"].map((v) => ["--format=posix", `--sparse-version=${v}`])];

describe("sparse files: what GNU tar writes", () => {
  let directory = "";
  let remove = async (): Promise<void> => {};
  const whole = new Map<string, Buffer>();

  before(async () => {
    ({ path: directory, remove } = await makeTemporary());
    for (const [name, size, places] of [
      ["hole", 1_000_000, []],
      ["ends", 1_000_000, [0, 999_999]],
      ["middle", 300_001, [131_072]],
      ["many", 8_000_000, Array.from({ length: 60 }, (_, index) => index * 131_072 + 7)],
    ] as const) {
      const content = Buffer.alloc(size);
      for (const place of places) content[place] = 1 + (place % 200);
      const file = await open(join(directory, name), "w");
      for (const place of places) await file.write(content, place, 1, place);
      await file.close();
      truncateSync(join(directory, name), size);
      whole.set(name, content);
    }
    writeFileSync(join(directory, "plain"), "plain");
    whole.set("plain", Buffer.from("plain"));
  });
  after(() => remove());

  for (const form of forms) {
    for (const chunk of [512, 777, 1_000_000]) {
      it(`${form.join(" ")}, in chunks of ${chunk}`, async () => {
        const names = [...whole.keys()];
        const made = spawnSync("tar", ["--sparse", ...form, "-cf", "-", "-C", directory, ...names], {
          maxBuffer: 2 ** 28,
        });
        assert.equal(made.status, 0, String(made.stderr));
        const found: string[] = [];
        for await (const member of readTar(chunks(made.stdout, chunk))) {
          const name = String(member.path);
          found.push(name);
          const expected = whole.get(name) ?? Buffer.alloc(0);
          assert.equal(member.size, expected.length);
          assert.equal(member.isSparse === true, name !== "plain", name);
          const stored = member.sparse?.extents.reduce((sum, { size }) => sum + size, 0) ?? member.size;
          assert.ok(stored < 300_000, `${name} stores ${stored}`);
          assert.ok((await collect(member.body)).equals(expected), name);
        }
        assert.deepEqual(found, names);
      });
    }
  }
});

const sparse01 = (map: string, size: number, body = "", more: RawMember["pax"] = []): RawMember => ({
  name: "x",
  body,
  pax: [["GNU.sparse.map", map], ["GNU.sparse.size", String(size)], ...more],
});
const sparse10 = (map: string, size: number, data = ""): RawMember => ({
  name: "GNUSparseFile.1/x",
  body: map.padEnd(Math.ceil(map.length / 512) * 512, "\0") + data,
  pax: [
    ["GNU.sparse.major", "1"],
    ["GNU.sparse.minor", "0"],
    ["GNU.sparse.name", "x"],
    ["GNU.sparse.realsize", String(size)],
  ],
});
const read = async (member: RawMember, limits: TarLimits = defaultTarLimits): Promise<Buffer> => {
  const bodies: Buffer[] = [];
  for await (const { path, body } of readTar(chunks(tarBytes({ members: [member], bare: true })), limits)) {
    assert.equal(String(path), "x");
    bodies.push(await collect(body));
  }
  return Buffer.concat(bodies);
};

describe("sparse files: maps", () => {
  it("data, holes and empty extents make the file", async () => {
    assert.equal(String(await read(sparse01("1,2,5,1,6,0", 7, "abc"))), "\0ab\0\0c\0");
    assert.equal(String(await read(sparse10("2\n1\n2\n5\n1\n", 7, "abc"))), "\0ab\0\0c\0");
    assert.equal((await read(sparse01("", 9))).length, 9);
    assert.equal((await read(sparse10("0\n", 9))).length, 9);
  });
  for (const [why, member] of [
    ["overlap", sparse01("0,2,1,1", 9, "abc")],
    ["descend", sparse01("5,1,0,2", 9, "abc")],
    ["lie behind the end", sparse01("8,2", 9, "ab")],
    ["are more than is stored", sparse01("0,4", 9, "abc")],
    ["are less than is stored", sparse01("0,2", 9, "abc")],
    ["have half of a pair", sparse01("0,2,3", 9, "ab")],
    ["are negative", sparse01("-1,2", 9, "ab")],
    ["are no numbers", sparse01("0,2,,", 9, "ab")],
    [
      "are said twice",
      sparse01("0,2", 9, "ab", [
        ["GNU.sparse.offset", "0"],
        ["GNU.sparse.numbytes", "2"],
      ]),
    ],
    [
      "come out of turn",
      {
        name: "x",
        pax: [
          ["GNU.sparse.size", "9"],
          ["GNU.sparse.numbytes", "0"],
          ["GNU.sparse.offset", "0"],
        ],
      },
    ],
    ["have two sizes", sparse01("0,2", 9, "ab", [["GNU.sparse.realsize", "8"]])],
    ["are of two forms", sparse01("0,2", 9, "ab", [["GNU.sparse.major", "1"]])],
    ["have no size", { name: "x", body: "ab", pax: [["GNU.sparse.map", "0,2"]] }],
    [
      "belong to a directory",
      {
        name: "x",
        type: "5",
        pax: [
          ["GNU.sparse.map", ""],
          ["GNU.sparse.size", "9"],
        ],
      },
    ],
    ["are longer than the body", sparse10("9999\n", 9)],
    ["are shorter than they say", sparse10("2\n0\n2\n", 9, "ab")],
    ["are longer than they say", sparse10("1\n0\n2\n5\n1\n", 9, "ab")],
    ["hide something behind them", sparse10("1\n0\n2\n\0\0hidden", 9, "ab")],
    ["are no lines", sparse10("1".repeat(600), 9)],
  ] as const satisfies readonly (readonly [string, RawMember])[]) {
    it(`that ${why} are refused`, () => assert.rejects(read(member), fails("ARCHIVE_INVALID")));
  }
  it("of a form that is not known are named", () =>
    assert.rejects(
      read({
        name: "x",
        pax: [
          ["GNU.sparse.major", "2"],
          ["GNU.sparse.minor", "0"],
          ["GNU.sparse.realsize", "1"],
        ],
      }),
      fails("UNSUPPORTED", /2\.0/),
    ));
  it("D18, D19, limits 2.2: the size counts holes, at the limit and one above", async () => {
    const limits = { ...defaultTarLimits, fileSize: 5000 };
    for (const make of [
      (size: number) => sparse01("0,2", size, "ab"),
      (size: number) => sparse10("1\n0\n2\n", size, "ab"),
    ]) {
      assert.equal((await read(make(5000), limits)).length, 5000);
      await assert.rejects(read(make(5001), limits), fails("LIMIT_EXCEEDED"));
    }
    await assert.rejects(read(sparse01("", 8 * 2 ** 40)), fails("LIMIT_EXCEEDED"));
  });
  it("limits 2.2: all files together count with their holes", async () => {
    const limits = { ...defaultTarLimits, totalSize: 6000 };
    assert.equal((await read(sparse01("", 6000), limits)).length, 6000);
    await assert.rejects(read(sparse01("", 6001), limits), fails("LIMIT_EXCEEDED"));
  });
  it("limits 2.2: a map is no larger than an extended header", async () => {
    const map = `200\n${Array.from({ length: 200 }, (_, i) => `${i * 10}\n1\n`).join("")}`;
    const member = sparse10(map, 9000, "x".repeat(200));
    const blocks = Math.ceil(map.length / 512) * 512;
    assert.equal((await read(member, { ...defaultTarLimits, metaRecord: blocks })).length, 9000);
    await assert.rejects(read(member, { ...defaultTarLimits, metaRecord: blocks - 1 }), fails("LIMIT_EXCEEDED"));
  });
});
