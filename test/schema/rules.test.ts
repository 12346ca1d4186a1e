import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ruleOfField } from "../../src/schema/rules.ts";

describe("ruleOfField", () => {
  for (const { kind, path, rule } of [
    { kind: "image", path: [], rule: "ACI-20" },
    { kind: "image", path: ["name"], rule: "ACI-23" },
    { kind: "image", path: ["app"], rule: "ACI-29" },
    { kind: "image", path: ["app", "ports", 0, "port"], rule: "ACI-42" },
    { kind: "image", path: ["dependencies", 3, "size"], rule: "ACI-47" },
    { kind: "image", path: ["dependencies", 3, "imageID"], rule: "ACI-45" },
    { kind: "image", path: ["apps", 0, "name"], rule: "ACI-20" },
    { kind: "image", path: ["constructor"], rule: "ACI-20" },
    { kind: "pod", path: ["apps", 0, "name"], rule: "POD-5" },
    { kind: "pod", path: ["apps", 0, "app", "exec", 1], rule: "ACI-30" },
    { kind: "pod", path: ["apps", 0, "app"], rule: "POD-7" },
    { kind: "pod", path: ["apps", 0, "image", "id"], rule: "POD-6" },
    { kind: "pod", path: ["ports", 0, "podPort", "port"], rule: "POD-17" },
    { kind: "pod", path: ["volumes", 0, "uid"], rule: "POD-14" },
    { kind: "pod", path: ["toString"], rule: "POD-4" },
  ] as const) {
    it(`${path.join(".") || "the document"} of a ${kind} is under ${rule}`, () => {
      assert.equal(ruleOfField(kind, path), rule);
    });
  }
});
