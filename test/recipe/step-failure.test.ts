import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import type { Step } from "../../src/recipe/document.ts";
import { inPlace, inStep, requireShell, stepFailed } from "../../src/recipe/step-failure.ts";
import type { StackView } from "../../src/store/stack.ts";
import { fails } from "../helpers/failures.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
let view: StackView;
before(async () => {
  world = await RecipeWorld.open();
  view = world.view({ "bin/tool": "" });
  symlinkSync("loop", world.path("layer0/bin/loop"));
});
after(() => world.remove());

const step = (value: Step) => ({
  number: 2,
  place: "r.yaml:4",
  step: value,
  title: "",
  environment: [],
  dependencies: [],
});

describe("inStep", () => {
  const missing = (subject: string) =>
    new Failure("EXEC_NOT_FOUND", "of a pod", { subject, hint: "--exec", cause: "ENOENT" });
  const rows = [
    [
      "a line without a shell",
      { run: "ls" },
      missing("/bin/sh"),
      /^step 2 \(r\.yaml:4\): the line .* no \/bin\/sh/,
      /as a list/,
    ],
    [
      "a program that is not there",
      { run: ["/bin/x"] },
      missing("/bin/x"),
      /: \/bin\/x is not in the image/,
      /whole path/,
    ],
    ["a name without a path", { run: ["tool"] }, missing("tool"), /: tool is not in the image/, /whole path/],
  ] as const;
  for (const [why, run, failure, message, hint] of rows) {
    it(`RECIPE-30: ${why}`, () => {
      const told = inStep(failure, step(run as unknown as Step));
      assert.ok(fails("EXEC_NOT_FOUND", message, { hint, cause: /ENOENT/ })(told), String(told));
    });
  }
  it("RECIPE-30: a program without the right to be executed", () => {
    const failure = new Failure("NOT_EXECUTABLE", "of a pod", { subject: "/bin/tool", hint: "--exec" });
    const told = inStep(failure, step({ run: ["/bin/tool"] }));
    assert.ok(fails("NOT_EXECUTABLE", /\/bin\/tool cannot be executed/, { hint: /0755/ })(told));
  });
  it("any other failure keeps its words, with the place before them; an interruption and a failed command stay", () => {
    const other = inStep(new Failure("NOT_FOUND", "x is not there", { hint: "h" }), step({ remove: "/x" }));
    assert.ok(fails("NOT_FOUND", /^step 2 \(r\.yaml:4\): x is not there$/, { hint: /^h$/ })(other));
    for (const code of ["INTERRUPTED", "STEP_FAILED"] as const) {
      const failure = new Failure(code, "as it is");
      assert.equal(inStep(failure, step({ run: "x" })), failure);
    }
  });
});

describe("inPlace", () => {
  it("puts a place before a failure, and keeps the rest of it", () => {
    const failure = new Failure("NOT_FOUND", "no image", { subject: "a", hint: "b", cause: "c" });
    const placed = inPlace(failure, "r.yaml:4:7");
    assert.ok(placed instanceof Failure);
    const { code, message, subject, hint, cause } = placed;
    assert.deepEqual([code, message, subject, hint, cause], ["NOT_FOUND", "r.yaml:4:7: no image", "a", "b", "c"]);
  });
  it("leaves an interruption and what is no failure as they are", () => {
    for (const error of [new Failure("INTERRUPTED", "interrupted"), new Error("x")]) {
      assert.equal(inPlace(error, "r.yaml:4:7"), error);
    }
  });
});

describe("stepFailed", () => {
  it("says which step, its status, what it said last, and how to get there", () => {
    const told = { count: 3, shellCommand: "perigee build -f r.yaml --dir /d --shell-at" };
    const failure = stepFailed(
      told,
      { ...step({ run: "x" }), title: "run: x" },
      { status: 139, lastLines: ["a", "b"] },
      "/log",
    );
    assert.match(failure.message, /^step 2 of 3 \(r\.yaml:4\) ended with status 139 \(signal 11\): run: x$/);
    assert.deepEqual(
      [failure.cause, failure.hint],
      ["a\nb\nthe whole log: /log", "perigee build -f r.yaml --dir /d --shell-at 2"],
    );
  });
});

describe("requireShell", () => {
  it("refuses a state without one before there is a pod", () => {
    assert.throws(
      () => requireShell(view, 3),
      fails("EXEC_NOT_FOUND", /--shell-at 3 opens no shell/, { hint: /\/bin\/sh/ }),
    );
    requireShell(world.view({ "bin/sh": "" }), 3);
  });
});
