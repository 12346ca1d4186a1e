/**
 * What is fuzzed: the readers of foreign bytes. A target throws when a reader threw anything but a Failure, or when a property
 * that holds for every input does not hold for this one.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { Failure } from "../../src/base/failure.ts";
import { unbzip2 } from "../../src/compression/bzip2.ts";
import { unxz } from "../../src/compression/xz.ts";
import { unzstd } from "../../src/compression/zstd.ts";
import { readArchive } from "../../src/image/archive.ts";
import { ImageManifest } from "../../src/schema/image-manifest.ts";
import { jsonSchemas } from "../../src/schema/json-schema.ts";
import { PodManifest } from "../../src/schema/pod-manifest.ts";
import { parseStrictJson } from "../../src/schema/strict-json.ts";
import { parseDocument } from "../../src/schema/validate.ts";
import { pathKey, type TarMember } from "../../src/tar/entry.ts";
import { parsePax } from "../../src/tar/pax.ts";
import { readTar } from "../../src/tar/read.ts";
import { writeTar } from "../../src/tar/write.ts";
import type { Decoder } from "../helpers/codecs.ts";
import { matches } from "../helpers/json-schema.ts";
import { Random } from "../helpers/random.ts";
import { record } from "../helpers/raw-tar.ts";
import { chunks, type RawArchive, type Text, tarBytes, textBytes } from "../helpers/tar-bytes.ts";
import { vectors } from "../helpers/vectors.ts";
import { mutateBytes, mutateDocument, mutateGzip, mutateJson, mutateTar, paxBody } from "./mutate.ts";

export interface Target {
  /** Inputs to begin with. */
  readonly seeds: readonly Buffer[];
  readonly mutate: (input: Buffer, random: Random, others: readonly Buffer[]) => Buffer;
  /** @throws anything for a bug */
  readonly check: (input: Buffer) => Promise<void>;
}

/** The value, or the Failure; anything else thrown is a bug. */
async function outcome<T>(action: () => T | Promise<T>): Promise<{ readonly value: T } | Failure> {
  try {
    return { value: await action() };
  } catch (error) {
    if (error instanceof Failure && error.code !== "INTERNAL") return error;
    throw error;
  }
}

/** All that an entry says, with a digest of its content. */
async function listed(members: AsyncIterable<TarMember>): Promise<readonly object[]> {
  const found: object[] = [];
  for await (const { body, ...member } of members) {
    const hash = createHash("sha256");
    for await (const piece of body) hash.update(piece);
    const xattrs = member.xattrs.map(({ name, value }) => `${name}=${value.toString("hex")}`);
    const mtime = `${member.mtime.seconds}.${member.mtime.nanoseconds}`;
    found.push({
      ...member,
      path: pathKey(member.path),
      link: pathKey(member.link),
      mtime,
      xattrs,
      dropped: undefined,
      // Where it lay, and how its holes were told, is not what it says.
      span: undefined,
      sparse: undefined,
      isSparse: undefined,
      body: hash.digest("hex"),
    });
  }
  return found;
}

/** One verdict however the bytes arrive; what is accepted survives our own writer. */
async function checkTar(input: Buffer): Promise<void> {
  const whole = await outcome(() => listed(readTar(chunks(input, input.length + 1))));
  const pieces = await outcome(() => listed(readTar(chunks(input, 509))));
  if (whole instanceof Failure) {
    assert.ok(pieces instanceof Failure, "refused whole, accepted in pieces");
    assert.equal(pieces.code, whole.code);
    return;
  }
  assert.ok(!(pieces instanceof Failure), "accepted whole, refused in pieces");
  assert.deepEqual(pieces.value, whole.value);
  const again = await listed(readTar(writeTar(readTar(chunks(input, 4096)))));
  assert.deepEqual(again, whole.value);
}

async function checkArchive(input: Buffer): Promise<void> {
  const list = () => {
    let found: readonly object[] = [];
    const visit = async (members: AsyncIterable<TarMember>): Promise<void> => {
      found = await listed(members);
    };
    return readArchive(chunks(input, 1021), visit).then((summary) => ({ ...summary, found }));
  };
  const first = await outcome(list);
  const second = await outcome(list);
  if (first instanceof Failure || second instanceof Failure) {
    assert.equal(second instanceof Failure && second.code, first instanceof Failure && first.code);
    return;
  }
  assert.equal(second.value.id, first.value.id);
  assert.deepEqual(second.value.found, first.value.found);
}

/** A bomb is not read to its end. */
const mostPlain = 16 * 1024 * 1024;

/** Size and digest of what a decoder makes of it. */
async function decoded(decoder: Decoder, input: Buffer, size: number): Promise<string> {
  const hash = createHash("sha256");
  let plain = 0;
  for await (const piece of decoder(chunks(input, size))) {
    hash.update(piece.subarray(0, mostPlain - plain));
    plain = Math.min(plain + piece.length, mostPlain);
    if (plain === mostPlain) break;
  }
  return `${plain} ${hash.digest("hex")}`;
}

/** One verdict however the bytes arrive, in the codes of bad input, and the same bytes come out. */
function checkCodec(decoder: Decoder): Target["check"] {
  return async (input) => {
    const whole = await outcome(() => decoded(decoder, input, input.length + 1));
    const pieces = await outcome(() => decoded(decoder, input, 61));
    if (!(whole instanceof Failure)) return assert.deepEqual(pieces, whole);
    assert.match(whole.code, /^(ARCHIVE_INVALID|UNSUPPORTED|LIMIT_EXCEEDED)$/);
    assert.equal(pieces instanceof Failure && pieces.code, whole.code);
  };
}

/** What we accept JSON.parse reads the same; what we refuse and it accepts breaks one of the rules beyond the grammar. */
async function checkJson(input: Buffer): Promise<void> {
  const ours = await outcome(() => parseStrictJson(input, "document"));
  let theirs: { readonly value: unknown } | undefined;
  try {
    theirs = { value: JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(input)) };
  } catch {
    theirs = undefined;
  }
  if (!(ours instanceof Failure)) {
    assert.ok(theirs !== undefined, "accepted, but no JSON");
    assert.equal(JSON.stringify(ours.value), JSON.stringify(theirs.value));
    return;
  }
  assert.match(
    ours.message,
    /^document (is not valid JSON at line \d+ column \d+: JSON-[2-9]: |has \d+ bytes.*\(JSON-1\)$)/,
  );
  if (theirs !== undefined) assert.match(ours.message, /: JSON-[45678]: /);
}

const published = [...jsonSchemas().values()].map((text): unknown => JSON.parse(text));

/** A refusal names place and rule of everything; what the schemas accept, the published JSON Schemas accept. */
async function checkManifest(input: Buffer): Promise<void> {
  for (const [index, schema] of [ImageManifest, PodManifest].entries()) {
    const ours = await outcome<unknown>(() => parseDocument(schema, input, "manifest"));
    if (!(ours instanceof Failure)) {
      assert.ok(matches(published[index], JSON.parse(input.toString("utf8"))), "the JSON Schema refuses it");
      continue;
    }
    if (ours.code !== "MANIFEST_INVALID") continue;
    for (const line of String(ours.cause).split("\n")) {
      assert.match(line, /^(\d+:\d+( \S+)?: (ACI|POD|TYPE|ACE)-\d+: \S|and \d+ more$)/);
    }
  }
}

/** What is read is what was written: the records written again are the same bytes. */
async function checkPax(input: Buffer): Promise<void> {
  const records = await outcome(() => parsePax(input));
  if (records instanceof Failure) return;
  const again = Buffer.concat([...records.value].map(([key, value]) => record(key, value)));
  assert.ok(again.equals(input), "the records have another reading");
}

/** Inputs that once did harm, or might, as files. */
function kept(name: string): readonly Buffer[] {
  const directory = new URL(`../../../test/fuzz/corpus/${name}/`, import.meta.url);
  return readdirSync(directory)
    .sort()
    .map((file) => readFileSync(new URL(file, directory)));
}

const archives = vectors<RawArchive>("tar/cases").map(tarBytes);
const small = archives.filter(({ length }) => length < 100_000);
const texts = vectors<{ readonly text?: Text; readonly hex?: string }>("json").map(({ text, hex }) =>
  typeof text === "string" ? Buffer.from(text) : textBytes(text ?? { hex: hex ?? "" }),
);
const documents = vectors<{ readonly document: unknown }>("manifests").map(({ document }) =>
  Buffer.from(JSON.stringify(document)),
);
const seededPax = Array.from({ length: 20 }, (_, index) => paxBody(new Random(index)));

/** What a changed header may ask for: small, so that a round is quick. */
const memory = 8 * 1024 * 1024;

export const targets: Readonly<Record<string, Target>> = {
  tar: { seeds: [...small, ...kept("tar")], mutate: mutateTar, check: checkTar },
  archive: { seeds: [...small, ...kept("archive")], mutate: mutateTar, check: checkArchive },
  gzip: { seeds: [...small, ...kept("gzip")], mutate: mutateGzip, check: checkArchive },
  bzip2: { seeds: kept("bzip2"), mutate: mutateBytes, check: checkCodec(unbzip2) },
  xz: { seeds: kept("xz"), mutate: mutateBytes, check: checkCodec((source) => unxz(source, { memory })) },
  zstd: { seeds: kept("zstd"), mutate: mutateBytes, check: checkCodec((source) => unzstd(source, { window: memory })) },
  json: { seeds: [...texts, ...documents, ...kept("json")], mutate: mutateJson, check: checkJson },
  manifest: { seeds: [...documents, ...kept("manifest")], mutate: mutateDocument, check: checkManifest },
  pax: {
    seeds: [...seededPax, ...kept("pax")],
    mutate: (input, random, others) => (random.once(3) ? paxBody(random) : mutateBytes(input, random, others)),
    check: checkPax,
  },
};

/** The input of one round: it follows from the three. */
export function inputOf(name: string, seed: number, round: number): Buffer {
  const target = targetOf(name);
  if (round < target.seeds.length) return target.seeds[round] ?? Buffer.alloc(0);
  const random = new Random(seed, round);
  return target.mutate(random.pick(target.seeds), random, target.seeds);
}

export function targetOf(name: string): Target {
  const target = targets[name];
  if (target === undefined) throw new Error(`no target ${name}; there are ${Object.keys(targets).join(", ")}`);
  return target;
}
