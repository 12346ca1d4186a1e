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
import { fails } from "./helpers/failures.ts";
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

interface JsonCase {
  readonly why: string;
  readonly text?: Text;
  readonly hex?: string;
  readonly valid: boolean;
  readonly rule?: string;
  readonly at?: string;
}

describe("spec/vectors/json (T-R46, A06)", () => {
  for (const { why, text, hex, valid, rule, at } of vectors<JsonCase>("json")) {
    it(`${rule ?? "valid"}: ${why}`, () => {
      const bytes = typeof text === "string" ? Buffer.from(text) : textBytes(text ?? { hex: hex ?? "" });
      const failure = failureOf(() => parseStrictJson(bytes, "document"));
      assert.equal(failure === undefined, valid, failure?.message);
      const [line, column] = at?.split(":") ?? [];
      if (!valid) assert.match(failure?.message ?? "", new RegExp(`at line ${line} column ${column}: ${rule}: `));
    });
  }
});

describe("spec/vectors/json as the manifest of an image (T-R46, A05, A06)", () => {
  const wrong = vectors<JsonCase>("json").filter(({ valid }) => !valid);
  for (const { why, text, hex, rule, at } of wrong) {
    it(`${rule}: ${why}`, async () => {
      const bytes = typeof text === "string" ? Buffer.from(text) : textBytes(text ?? { hex: hex ?? "" });
      const members = [
        { name: "manifest", body: { hex: bytes.toString("hex") } },
        { name: "rootfs", type: "5" },
      ];
      const [line, column] = at?.split(":") ?? [];
      await assert.rejects(
        readArchive(chunks(tarBytes({ bare: true, members }), 512)),
        fails("JSON_INVALID", new RegExp(`^manifest .* at line ${line} column ${column}: ${rule}: `)),
      );
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
    /** Which schema, when the rule does not say it. */
    readonly kind?: "image" | "pod";
  }
  const published = [...jsonSchemas().values()].map((text): unknown => JSON.parse(text));
  for (const test of vectors<ManifestCase>("manifests")) {
    const { rule, why, document, valid, at, beyondJsonSchema = false } = test;
    const isPod = rule.startsWith("POD-") || test.kind === "pod";
    it(`${rule}: ${why}`, () => {
      const bytes = Buffer.from(JSON.stringify(document));
      const failure = failureOf(() => parseDocument(isPod ? PodManifest : ImageManifest, bytes, "manifest"));
      assert.equal(failure === undefined, valid, String(failure?.cause));
      if (!valid) {
        const places = String(failure?.cause)
          .split("\n")
          .map((line) => {
            const match = /^\d+:\d+(?: (\S+))?: [A-Z]+-\d+: /.exec(line);
            assert.ok(match !== null, `no place or no rule: ${line}`);
            return match[1] ?? "";
          });
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
  /** Every number of the appc specification that is about documents, archives and isolators, and those of our own fields. */
  const rules = [
    ..."ACI-1 ACI-2 ACI-3 ACI-4 ACI-5 ACI-6 ACI-7 ACI-8 ACI-9 ACI-10 ACI-11".split(" "),
    ..."ACI-20 ACI-21 ACI-22 ACI-23 ACI-24 ACI-25 ACI-26 ACI-27 ACI-28 ACI-29 ACI-30 ACI-31 ACI-32 ACI-33".split(" "),
    ..."ACI-34 ACI-35 ACI-36 ACI-37 ACI-38 ACI-39 ACI-40 ACI-41 ACI-42 ACI-43 ACI-44 ACI-45 ACI-46 ACI-47".split(" "),
    ..."ACI-48 ACI-49 ACI-50 ACI-51 ACI-52".split(" "),
    ..."POD-1 POD-2 POD-3 POD-4 POD-5 POD-6 POD-7 POD-8 POD-9 POD-10 POD-11 POD-12 POD-13 POD-14 POD-15".split(" "),
    ..."POD-16 POD-17 POD-18 POD-50 POD-52 POD-54".split(" "),
    ..."TYPE-1 TYPE-2 TYPE-3 TYPE-4 TYPE-5 TYPE-6 TYPE-7 TYPE-8 TYPE-9 TYPE-10 TYPE-11 TYPE-12 TYPE-13".split(" "),
    ..."TYPE-14 TYPE-15 TYPE-16".split(" "),
    ..."ACE-30 ACE-31 ACE-32 ACE-33 ACE-34 ACE-35 ACE-36 ACE-37 ACE-38 ACE-39 ACE-40 ACE-41 ACE-42 ACE-43".split(" "),
    ..."ACE-44 ACE-45".split(" "),
  ];
  /** Rules that no document decides → the file in whose tests they are shown. */
  const elsewhere: Readonly<Record<string, string>> = {
    "ACI-1": "image/build",
    "ACI-2": "image/layout",
    "ACI-3": "image/layout",
    "ACI-4": "e2e/interop-tar",
    "ACI-5": "image/compression",
    "ACI-6": "image/archive",
    "ACI-7": "api/sign",
    "ACI-8": "api/sign",
    "ACI-9": "api/sign",
    "ACI-10": "cli/build",
    "ACI-11": "image/archive",
    "ACI-25": "fetch/match",
    "ACI-46": "store/layers",
    "ACI-48": "e2e/interop-tar",
    "ACI-52": "store/layers",
    "TYPE-3": "schema/names",
    "TYPE-9": "pod/pod",
  };
  /** Rules that nothing in a document can break: what is allowed, or what the executor makes of it. */
  const neverBroken = ["ACI-24", "ACI-27", "ACI-36", "ACI-37", "ACE-35", "POD-1", "POD-2", "POD-3"];

  interface Shown {
    readonly rule: string;
    readonly valid: boolean;
  }
  const shown = ["names", "labels", "manifests"].flatMap((file) => vectors<Shown>(file));
  const spec = ["image.md", "pod.md"].map((name) =>
    readFileSync(new URL(`../../spec/${name}`, import.meta.url), "utf8"),
  );

  for (const rule of rules) {
    it(`${rule} stands in the specification`, () => assert.match(spec.join(""), new RegExp(`^\\| ${rule} \\|`, "m")));
    const place = elsewhere[rule];
    if (place !== undefined) {
      it(`${rule} is shown by the tests of ${place}`, () => {
        const text = readFileSync(new URL(`../../test/${place}.test.ts`, import.meta.url), "utf8");
        assert.match(text, new RegExp(`\\b${rule}\\b`));
      });
      continue;
    }
    for (const valid of neverBroken.includes(rule) ? [true] : [true, false]) {
      it(`${rule} is shown by a vector that ${valid ? "keeps" : "breaks"} it`, () => {
        assert.ok(shown.some((test) => test.rule === rule && test.valid === valid));
      });
    }
  }
  for (const rule of "JSON-1 JSON-2 JSON-3 JSON-4 JSON-5 JSON-6 JSON-7 JSON-8 JSON-9".split(" ")) {
    it(`${rule} stands in the specification, and is shown by a vector that breaks it`, () => {
      assert.match(spec.join(""), new RegExp(`^\\| ${rule} \\|`, "m"));
      // Too many bytes would be too many for the file of vectors: test/schema/strict-json.test.ts.
      assert.equal(
        vectors<JsonCase>("json").some((test) => test.rule === rule),
        rule !== "JSON-1",
      );
    });
  }
  it("no vector shows a rule that is not listed", () => {
    const others = shown.filter(({ rule }) => !rules.includes(rule) || elsewhere[rule] !== undefined);
    assert.deepEqual(others, []);
  });
});
