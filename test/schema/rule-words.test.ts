import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { parseDocument } from "../../src/schema/validate.ts";
import { fails } from "../helpers/failures.ts";

describe("the words for a broken rule (ACI-20)", () => {
  const rows: readonly (readonly [string, z.ZodType, unknown, RegExp])[] = [
    ["a number for a string", z.string(), 7, /expected a string, got a number; put it in quotes$/],
    ["null for a string", z.string(), null, /expected a string, got null$/],
    ["a list for an object", z.object({}), [], /expected an object, got a list$/],
    ["an object for a list", z.array(z.string()), {}, /expected a list, got an object$/],
    ["a string for a truth", z.boolean(), "yes", /expected true or false, got a string$/],
    ["a truth for a number", z.number(), true, /expected a number, got true$/],
    ["half a port", z.int(), 1.5, /expected an integer, got 1\.5$/],
    ["a word that is none", z.enum(["tcp", "udp"]), "sctp", /expected "tcp" or "udp"$/],
    ["too little", z.int().min(1), 0, /expected at least 1$/],
    ["too long", z.string().max(3), "four", /expected at most 3 characters$/],
    ["too few", z.array(z.int()).min(1), [], /expected at least one item$/],
    ["an unknown field, where it stands", z.strictObject({}), { a: 1 }, /^1:\d+ value\.a: ACI-20: unknown field a$/],
    [
      "a field that is nearly one",
      z.strictObject({ value: z.number().optional() }),
      { vaule: 1 },
      /unknown field vaule; did you mean value\?$/,
    ],
    [
      "a form of several, by the fields that are there",
      z.union([z.string(), z.strictObject({ a: z.string() }), z.strictObject({ b: z.string(), c: z.string() })]),
      { b: true, c: "" },
      /value\.b: ACI-20: expected a string, got true; put it in quotes$/,
    ],
    [
      "none of several forms, with a sentence of its own",
      z.union([z.string(), z.strictObject({ a: z.string() })], { error: "TYPE-1: text or a" }),
      { b: 1 },
      /value: TYPE-1: text or a$/,
    ],
    [
      "a record's value",
      z.record(z.string(), z.string()),
      { a: 1 },
      /a: ACI-20: expected a string, got a number; put it in quotes$/,
    ],
    ["a rule with a sentence of its own", z.string().max(3, "TYPE-1: short"), "four", /TYPE-1: short$/],
  ];
  for (const [name, schema, value, cause] of rows) {
    it(name, () =>
      assert.throws(
        () => parseDocument(z.object({ value: schema }), Buffer.from(JSON.stringify({ value })), "document"),
        fails("MANIFEST_INVALID", /one rule/, { cause }),
      ),
    );
  }
});
