import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { parseAppSegments } from "../../src/cli/apps.ts";
import type { OptionSpec } from "../../src/cli/command.ts";

const pod: readonly OptionSpec[] = [
  ["--net <network>", "network", "none"],
  ["--interactive", "terminal"],
  ["--volume <volume>*", "volume"],
  ["--no-overlay", "copy"],
];
const app: readonly OptionSpec[] = [
  ["--name <name>", "name"],
  ["--exec <program>", "program"],
  ["--environment <variable>*", "K=V"],
  ["--mount <mount>*", "mount"],
  ["--readonly-rootfs", "read-only"],
];

const parse = (...argv: string[]) => parseAppSegments(argv, pod, app);

function refuses(pattern: RegExp, ...argv: string[]): void {
  assert.throws(
    () => parse(...argv),
    (error) => error instanceof Failure && error.code === "USAGE" && pattern.test(error.message),
  );
}

describe("parseAppSegments (CLI-3): images and arguments", () => {
  const cases: readonly (readonly [string, readonly string[], readonly (readonly [string, readonly string[]])[]])[] = [
    ["one image", ["a"], [["a", []]]],
    [
      "two images",
      ["a", "b"],
      [
        ["a", []],
        ["b", []],
      ],
    ],
    ["arguments to the end", ["a", "--", "x", "-y", "--net=host"], [["a", ["x", "-y", "--net=host"]]]],
    [
      "--- ends arguments",
      ["a", "--", "x", "---", "b", "--", "y"],
      [
        ["a", ["x"]],
        ["b", ["y"]],
      ],
    ],
    ["-- within arguments is one of them", ["a", "--", "x", "--", "y"], [["a", ["x", "--", "y"]]]],
    ["no arguments behind --", ["a", "--"], [["a", []]]],
    [
      "no arguments between -- and ---",
      ["a", "--", "---", "b"],
      [
        ["a", []],
        ["b", []],
      ],
    ],
    [
      "a stray --- is ignored",
      ["---", "a", "---", "b"],
      [
        ["a", []],
        ["b", []],
      ],
    ],
    [
      "a flag's value may look like an image",
      ["a", "--exec", "b", "c"],
      [
        ["a", []],
        ["c", []],
      ],
    ],
    ["- is an image's name", ["-"], [["-", []]]],
    ["nothing", [], []],
  ];
  for (const [why, argv, expected] of cases) {
    it(why, () =>
      assert.deepEqual(
        parse(...argv).apps.map(({ image, args }) => [image, args]),
        expected,
      ),
    );
  }
});

describe("parseAppSegments (CLI-3): flags", () => {
  it("belong to the nearest image on the left", () => {
    const { apps } = parse(
      "a",
      "--name=one",
      "--",
      "x",
      "---",
      "--exec",
      "/a",
      "b",
      "--name",
      "two",
      "--readonly-rootfs=true",
    );
    assert.deepEqual(
      apps.map(({ options }) => [options.text("name"), options.text("exec"), options.flag("readonly-rootfs")]),
      [
        ["one", "/a", false],
        ["two", undefined, true],
      ],
    );
  });
  it("of the pod may stand on both sides of images", () => {
    const { pod: values } = parse(
      "--volume",
      "v1",
      "a",
      "--interactive",
      "b",
      "--net=host",
      "--volume=v2",
      "--no-overlay",
    );
    assert.deepEqual([values.text("net"), values.flag("interactive"), values.flag("overlay")], ["host", true, false]);
    assert.deepEqual(values.list("volume"), ["v1", "v2"]);
  });
  it("--mount before any image means every app, behind one that app", () => {
    const parsed = parse("--mount", "volume=v,target=/all", "a", "--mount=volume=v,target=/a", "b");
    assert.deepEqual(parsed.pod.list("mount"), ["volume=v,target=/all"]);
    assert.deepEqual(
      parsed.apps.map(({ options }) => options.list("mount")),
      [["volume=v,target=/a"], []],
    );
  });
  it("repeatable ones keep every value", () => {
    assert.deepEqual(parse("a", "--environment", "A=1", "--environment=B=--").apps[0]?.options.list("environment"), [
      "A=1",
      "B=--",
    ]);
  });
});

describe("parseAppSegments (CLI-3): refusals", () => {
  it("an app's flag before any image", () => refuses(/--exec belongs to an image/, "--exec", "/x", "a"));
  it("-- before any image", () => refuses(/no image stands before it/, "--net=host", "--", "x"));
  it("-- twice for one image", () => refuses(/twice for the image a/, "a", "--", "x", "---", "--", "y"));
  it("a flag twice on one image", () => refuses(/--exec stands twice for the image a/, "a", "--exec=/x", "--exec=/y"));
  it("an unknown flag, with the nearest one", () => {
    refuses(/no option --nme here/, "a", "--nme=x");
    assert.throws(() => parse("a", "--nme=x"), { hint: /^--name / });
  });
  it("a value that is missing", () => refuses(/--net needs a value/, "a", "--net"));
});
