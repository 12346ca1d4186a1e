/** Changes to inputs: blind ones of bytes, and ones that know the form, so that the change gets past the first check. */
import { gzipSync } from "node:zlib";
import type { Random } from "../helpers/random.ts";
import { blockSize, pax, record } from "../helpers/raw-tar.ts";

/** One to four changes of bytes anywhere. */
export function mutateBytes(input: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  let bytes: Buffer = Buffer.from(input);
  for (let left = 1 + random.below(4); left > 0; left--) bytes = changed(bytes, random, others);
  return bytes;
}

function changed(bytes: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  const at = random.below(bytes.length + 1);
  const length = random.below(Math.min(600, bytes.length - at + 1));
  const before = bytes.subarray(0, at);
  switch (random.below(6)) {
    case 0:
      return replaced(
        bytes,
        at,
        Buffer.from([random.pick([0, 0x20, 0x30, 0x37, 0x7f, 0x80, 0xff, random.below(256)])]),
      );
    case 1:
      return replaced(bytes, at, random.bytes(1 + random.below(8)));
    case 2:
      return Buffer.concat([before, bytes.subarray(at + length)]);
    case 3:
      return Buffer.concat([before, bytes.subarray(at, at + length), bytes.subarray(at)]);
    case 4:
      return Buffer.from(before);
    default: {
      const other = random.pick(others);
      return Buffer.concat([before, other.subarray(random.below(other.length + 1))]);
    }
  }
}

function replaced(bytes: Buffer, at: number, part: Buffer): Buffer {
  const result = Buffer.from(bytes);
  part.copy(result, at);
  return result;
}

/** Fields of a header: place and length. */
const fields: readonly (readonly [number, number])[] = [
  [0, 100],
  [100, 8],
  [108, 8],
  [116, 8],
  [124, 12],
  [136, 12],
  [156, 1],
  [157, 100],
  [257, 8],
  [329, 8],
  [337, 8],
  [345, 155],
];
const octals = ["0", "1", "777", "7777777", "00000001000", "77777777777", "-1", "8", " 12 ", "\0", "0x10"];
const names = ["manifest", "rootfs", "rootfs/", "rootfs/a", "./rootfs/a/", "/etc/passwd", "../x", "rootfs/../x", "."];
const types = "01234567xgLKSVDMN\0A ";
const paxKeys =
  "path linkpath size mtime uid gid SCHILY.xattr.user.a GNU.sparse.major GNU.sparse.name charset comment hdrcharset";
const paxValues = [
  "rootfs/a",
  "0",
  "-1",
  "1e3",
  "99999999999999999999",
  "1.5",
  "1.0000000001",
  "\0",
  "../x",
  "x".repeat(300),
];

/** A change of a tar that keeps the checksums right, so that the reader believes the header. */
export function mutateTar(input: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  const blocks = Math.floor(input.length / blockSize);
  if (blocks === 0 || random.once(4)) return mutateBytes(input, random, others);
  const at = random.below(blocks) * blockSize;
  switch (random.below(5)) {
    case 0:
      return Buffer.concat([input.subarray(0, at), randomPax(random), input.subarray(at)]);
    case 1:
      return Buffer.concat([input.subarray(0, at), input.subarray(at + blockSize)]);
    case 2: {
      const other = random.pick(others);
      const from = random.below(Math.floor(other.length / blockSize) + 1) * blockSize;
      return Buffer.concat([input.subarray(0, at), other.subarray(from, from + 4 * blockSize), input.subarray(at)]);
    }
    default:
      return withField(input, at, random);
  }
}

function withField(input: Buffer, at: number, random: Random): Buffer {
  const result = Buffer.from(input);
  const block = result.subarray(at, at + blockSize);
  const [place, length] = random.pick(fields);
  const value = Buffer.alloc(length);
  if (length === 1) value.write(types[random.below(types.length)] ?? "0", "latin1");
  else if (length >= 100) value.write(random.pick(names), "latin1");
  else if (random.once(3)) random.bytes(length).copy(value);
  else value.write(random.pick(octals), "latin1");
  value.copy(block, place);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return result;
}

function randomPax(random: Random): Buffer {
  return pax(paxBody(random), random.pick(["x", "x", "g"]));
}

/** Records of an extended header, some of them wrong. */
export function paxBody(random: Random): Buffer {
  const count = random.below(4);
  const records = Array.from({ length: count }, () => {
    const value = random.once(4) ? random.bytes(random.below(40)) : random.pick(paxValues);
    return record(random.pick(paxKeys.split(" ")), value);
  });
  const body = Buffer.concat(records);
  return random.once(3) && body.length > 0 ? mutateBytes(body, random, [body]) : body;
}

/** The gzip of a changed tar, or a changed gzip. */
export function mutateGzip(input: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  if (random.once(2)) return gzipSync(mutateTar(input, random, others), { level: random.below(10) });
  return mutateBytes(gzipSync(input), random, [gzipSync(random.pick(others))]);
}

const jsonTokens = [
  ...["{", "}", "[", "]", ",", ":", '"', "null", "true", "-0", "1e999", "1e-999", "9007199254740993", "0.1", "\\u0000"],
  ...[
    "\\ud800",
    "\\udc00",
    "\\",
    "\u0000",
    "\ufeff",
    " ",
    "\n",
    '"__proto__":',
    '"a":',
    "//",
    "\u2028",
    "\u{1f600}",
    "[".repeat(70),
  ],
];

/** A change of a text in JSON: its tokens moved, or bytes. */
export function mutateJson(input: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  if (random.once(3)) return mutateBytes(input, random, others);
  const tokens = input.toString("latin1").split(/(?<=["{}[\],:])/);
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = random.below(tokens.length + 1);
    const added = random.once(2) ? Buffer.from(random.pick(jsonTokens)).toString("latin1") : random.pick(tokens);
    tokens.splice(at, random.below(2), added);
  }
  return Buffer.from(tokens.join(""), "latin1");
}

const values: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 65536, 4294967295, 9007199254740991, "", "a", "A", "a--b", "..", "/a", "/a/../b"],
  ...["\0", "1G", "-1", "16Ei", "CAP_KILL", "linux", "amd64", "name", "x".repeat(600), [], {}, [null], [[]], [1, "a"]],
  ...[{ name: "a" }, { name: "a", value: "b" }, { name: "resource/memory", value: { limit: "1" } }, { set: ["a"] }],
];

/** A change of the value: some part of it is another value, gone, doubled or renamed. */
export function mutateDocument(input: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  if (random.once(10)) return mutateJson(input, random, others);
  let document: unknown = JSON.parse(input.toString("utf8"));
  const pool = [...values, ...partsOf(JSON.parse(random.pick(others).toString("utf8")))];
  for (let left = 1 + random.below(3); left > 0; left--) document = mutateValue(document, random, pool);
  return Buffer.from(JSON.stringify(document));
}

function partsOf(value: unknown): readonly unknown[] {
  if (typeof value !== "object" || value === null) return [value];
  return [value, ...Object.values(value).flatMap(partsOf)];
}

function mutateValue(value: unknown, random: Random, pool: readonly unknown[]): unknown {
  if (typeof value !== "object" || value === null || random.once(8)) return pool[random.below(pool.length)];
  if (Array.isArray(value)) return mutateList(value, random, pool);
  const pairs = Object.entries(value);
  if (pairs.length === 0 || random.once(8))
    return { ...value, [random.pick(["a", "labels", "name"])]: random.pick(values.slice(1)) };
  const at = random.below(pairs.length);
  const changedPairs = pairs.map(([key, item], index): readonly [string, unknown] =>
    index === at ? [random.once(12) ? `${key}x` : key, mutateValue(item, random, pool)] : [key, item],
  );
  return Object.fromEntries(random.once(10) ? changedPairs.filter((_, index) => index !== at) : changedPairs);
}

function mutateList(list: readonly unknown[], random: Random, pool: readonly unknown[]): unknown {
  if (list.length === 0) return [pool[random.below(pool.length)]];
  const at = random.below(list.length);
  if (random.once(5)) return [...list, list[at]];
  if (random.once(5)) return list.filter((_, index) => index !== at);
  return list.map((item: unknown, index) => (index === at ? mutateValue(item, random, pool) : item));
}
