/** The vectors of spec/vectors, which a second implementation would use too, run over this one. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { Failure } from "../src/base/failure.ts";
import { readArchive } from "../src/image/archive.ts";
import { ImageID, ImageIDPrefix } from "../src/schema/image-id.ts";
import { ACVersion, ImageManifest } from "../src/schema/image-manifest.ts";
import { jsonSchemas } from "../src/schema/json-schema.ts";
import { Labels } from "../src/schema/labels.ts";
import { ACIdentifier, ACName, EnvironmentName } from "../src/schema/names.ts";
import { PodManifest } from "../src/schema/pod-manifest.ts";
import { parseQuantity, Quantity } from "../src/schema/quantity.ts";
import { parseStrictJson } from "../src/schema/strict-json.ts";
import { parseDocument } from "../src/schema/validate.ts";
import { pathKey, type TarMember } from "../src/tar/entry.ts";
import { matches } from "./helpers/json-schema.ts";
import { chunks, type RawArchive, type Text, tarBytes, textBytes } from "./helpers/tar-bytes.ts";
import { vectors } from "./helpers/vectors.ts";

function failureOf(action: () => unknown): Failure | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    return error;
  }
}

describe("spec/vectors/names (TYPE-1, TYPE-2, TYPE-5, TYPE-6, TYPE-11)", () => {
  const schemas = { ACIdentifier, ACName, EnvironmentName, ACVersion, ImageID, ImageIDPrefix };
  interface NameCase {
    readonly kind: keyof typeof schemas;
    readonly rule: string;
    readonly text: string;
    readonly valid: boolean;
  }
  for (const { kind, rule, text, valid } of vectors<NameCase>("names")) {
    it(`${rule}: ${JSON.stringify(text.slice(0, 40))} is ${valid ? "an" : "no"} ${kind}`, () => {
      assert.equal(schemas[kind].safeParse(text).success, valid);
    });
  }
});

describe("spec/vectors/quantities (TYPE-12)", () => {
  interface QuantityCase {
    readonly text: string;
    readonly scale: number;
    readonly value: string | null;
  }
  for (const { text, scale, value } of vectors<QuantityCase>("quantities")) {
    it(`${JSON.stringify(text)} in units of 1/${scale} is ${value}`, () => {
      assert.equal(parseQuantity(text, BigInt(scale)), value === null ? undefined : BigInt(value));
      assert.equal(Quantity.safeParse(text).success, value !== null);
    });
  }
});

describe("spec/vectors/labels (ACI-26, ACI-28)", () => {
  interface LabelCase {
    readonly why: string;
    readonly rule: string;
    readonly labels: unknown;
    readonly valid: boolean;
  }
  for (const { why, rule, labels, valid } of vectors<LabelCase>("labels")) {
    it(`${rule}: ${why}`, () => {
      const { error } = Labels.safeParse(labels);
      assert.equal(error === undefined, valid);
    });
  }
});

describe("spec/vectors/json (T-R46, A06)", () => {
  interface JsonCase {
    readonly why: string;
    readonly text?: Text;
    readonly hex?: string;
    readonly valid: boolean;
    readonly at?: string;
  }
  for (const { why, text, hex, valid, at } of vectors<JsonCase>("json")) {
    it(why, () => {
      const bytes = typeof text === "string" ? Buffer.from(text) : textBytes(text ?? { hex: hex ?? "" });
      const failure = failureOf(() => parseStrictJson(bytes, "document"));
      assert.equal(failure === undefined, valid, failure?.message);
      const [line, column] = at?.split(":") ?? [];
      if (!valid) assert.match(failure?.message ?? "", new RegExp(`at line ${line} column ${column}:`));
    });
  }
});

describe("spec/vectors/manifests: the schemas, and the JSON Schemas as far as they can", () => {
  interface ManifestCase {
    readonly rule: string;
    readonly why: string;
    readonly document: unknown;
    readonly valid: boolean;
    /** Path of a field that is named in the refusal. */
    readonly at?: string;
    readonly beyondJsonSchema?: boolean;
  }
  const published = [...jsonSchemas().values()].map((text): unknown => JSON.parse(text));
  for (const { rule, why, document, valid, at, beyondJsonSchema = false } of vectors<ManifestCase>("manifests")) {
    const isPod = rule.startsWith("POD-");
    it(`${rule}: ${why}`, () => {
      const bytes = Buffer.from(JSON.stringify(document));
      const failure = failureOf(() => parseDocument(isPod ? PodManifest : ImageManifest, bytes, "manifest"));
      assert.equal(failure === undefined, valid, String(failure?.cause));
      if (!valid) {
        const places = String(failure?.cause)
          .split("\n")
          .map((line) => /^\d+:\d+(?: (\S+))?: /.exec(line)?.[1] ?? "");
        assert.ok(places.includes(at ?? ""), `${at} is not in ${String(failure?.cause)}`);
      }
      assert.equal(matches(published[isPod ? 1 : 0], document), valid || beyondJsonSchema);
    });
  }
});

interface TarCase extends RawArchive {
  readonly id: string;
  readonly why: string;
  readonly verdict: string;
  readonly expect?: readonly Readonly<Record<string, unknown>>[];
}

/** The fields of `member` in the notation of the vectors. */
function described(member: TarMember): Readonly<Record<string, unknown>> {
  const { seconds, nanoseconds } = member.mtime;
  return {
    ...member,
    path: pathKey(member.path),
    link: pathKey(member.link),
    mtime: nanoseconds === 0 ? String(seconds) : `${seconds}.${String(nanoseconds).padStart(9, "0")}`,
    xattrs: member.xattrs.map(({ name, value }) => [name, value.toString("hex")]),
  };
}

async function verdictOf(archive: Uint8Array, chunk: number) {
  const found: Readonly<Record<string, unknown>>[] = [];
  try {
    await readArchive(chunks(archive, chunk), async (members) => {
      for await (const member of members) if (pathKey(member.path) !== ".") found.push(described(member));
    });
    return { verdict: "ok", found };
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    return { verdict: error.code, found };
  }
}

describe("spec/vectors/tar: every archive gets its verdict, however it arrives", () => {
  for (const test of vectors<TarCase>("tar/cases")) {
    it(`${test.id}: ${test.why}`, async () => {
      const bytes = tarBytes(test);
      for (const chunk of [bytes.length + 1, 512, 1021]) {
        const { verdict, found } = await verdictOf(bytes, chunk);
        assert.equal(verdict, test.verdict);
        test.expect?.forEach((expected, index) => {
          for (const [field, value] of Object.entries(expected)) assert.deepEqual(found[index]?.[field], value, field);
        });
        if (test.expect?.length === 0) assert.deepEqual(found, []);
      }
    });
  }
});

describe("rules and vectors", () => {
  /** Rules of spec/image.md and spec/pod.md that documents and labels decide; the archive's have tests of their own. */
  const decided = [
    ..."ACI-20 ACI-21 ACI-22 ACI-23 ACI-26 ACI-28 ACI-29 ACI-30 ACI-31 ACI-32 ACI-34 ACI-35 ACI-38 ACI-39".split(" "),
    ..."ACI-40 ACI-41 ACI-42 ACI-44 ACI-45 ACI-47 ACI-49 ACI-50".split(" "),
    ..."POD-4 POD-5 POD-6 POD-7 POD-8 POD-9 POD-10 POD-11 POD-12 POD-13 POD-14 POD-15 POD-16 POD-17 POD-18".split(" "),
    ..."TYPE-1 TYPE-2 TYPE-4 TYPE-5 TYPE-6 TYPE-7 TYPE-8 TYPE-10 TYPE-11 TYPE-12 TYPE-13 TYPE-14 TYPE-15".split(" "),
  ];
  const files = ["names", "labels", "manifests"];
  const shown = new Set(files.flatMap((file) => vectors<{ readonly rule: string }>(file).map(({ rule }) => rule)));
  const spec = ["image.md", "pod.md"].map((name) =>
    readFileSync(new URL(`../../spec/${name}`, import.meta.url), "utf8"),
  );

  for (const rule of decided) {
    it(`${rule} is shown by a vector, and stands in the specification`, () => {
      assert.ok(shown.has(rule));
      assert.match(spec.join(""), new RegExp(`^\\| ${rule} \\|`, "m"));
    });
  }
  it("no vector shows a rule that is not listed", () => {
    assert.deepEqual(
      [...shown].filter((rule) => !decided.includes(rule)),
      [],
    );
  });
});
