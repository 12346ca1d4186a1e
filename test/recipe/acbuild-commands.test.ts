import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseAcbuildScript } from "../../src/recipe/acbuild.ts";
import { commands } from "../../src/recipe/acbuild-commands.ts";
import { fails } from "../helpers/failures.ts";

const context = { context: "/nonexistent" };
const script = (...lines: readonly string[]) => Buffer.from(`begin\nset-name example.com/a\n${lines.join("\n")}\n`);

async function stepsOf(...lines: readonly string[]): Promise<readonly unknown[]> {
  const { recipe } = await parseAcbuildScript(script(...lines), "s", context);
  return recipe.steps.slice(1);
}

async function baseOf(line: string): Promise<unknown> {
  return (await parseAcbuildScript(Buffer.from(`${line}\nset-name example.com/a`), "s", context)).recipe.base;
}

/** What of `value` is also in `shape`: defaults that the schema fills in are its own affair. */
function withoutDefaults(value: unknown, shape: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const keys = Object.keys(value).filter((key) => Object.hasOwn(shape as object, key));
  return Object.fromEntries(
    keys.map((key) => [key, withoutDefaults(Reflect.get(value, key), Reflect.get(shape as object, key))]),
  );
}

describe("what the commands of acbuild mean", () => {
  const cases: readonly (readonly [string, object])[] = [
    ["run -- apt-get install -y x", { run: ["apt-get", "install", "-y", "x"], network: "host" }],
    ["run --working-dir /src make", { run: ["make"], network: "host", workingDirectory: "/src" }],
    ["copy ./web/ /srv/www/", { copy: { from: ["web"], to: "/srv/www", owner: "keep" } }],
    ["copy 'a[1]*' /x", { copy: { from: ["a[[]1][*]"], to: "/x", owner: "keep" } }],
    ["copy-to-dir a b /opt", { copy: { from: ["a", "b"], to: "/opt/", owner: "keep" } }],
    ["copy-to-dir a /", { copy: { from: ["a"], to: "//", owner: "keep" } }],
    ["environment add A 'b c'", { environment: { A: "b c" } }],
    ["env rm A", { environment: { A: null } }],
    ["label add version 1.0", { label: { version: "1.0" } }],
    ["label remove version", { label: { version: null } }],
    ["annotation add note x", { annotation: { note: "x" } }],
    ["annotation rm note", { annotation: { note: null } }],
    ["mount add data /data --read-only", { mountPoint: { name: "data", path: "/data", readOnly: true } }],
    ["volume remove data", { mountPoint: { name: "data", remove: true } }],
    [
      "port add http tcp 80 --count 2 --socket-activated",
      { port: { name: "http", protocol: "tcp", port: 80, count: 2, socketActivated: true } },
    ],
    ["port rm http", { port: { name: "http", remove: true } }],
    [
      "dependency add example.com/base --label version=1 --label os=linux --size 10",
      {
        dependency: {
          imageName: "example.com/base",
          labels: [
            { name: "version", value: "1" },
            { name: "os", value: "linux" },
          ],
          size: 10,
        },
      },
    ],
    ["dep rm example.com/base", { dependency: { imageName: "example.com/base", remove: true } }],
    ["isolator rm os/linux/seccomp-retain-set", { isolator: { name: "os/linux/seccomp-retain-set", remove: true } }],
    ["set-exec -- /bin/web --port 80", { exec: ["/bin/web", "--port", "80"] }],
    ["set-user www", { user: "www" }],
    ["set-group 33", { group: "33" }],
    ["set-supp-groups 1,2 3", { supplementaryGIDs: [1, 2, 3] }],
    ["set-wd /srv", { workingDirectory: "/srv" }],
    [
      "set-event-handler pre-start -- /bin/prepare x",
      { eventHandler: { name: "pre-start", exec: ["/bin/prepare", "x"] } },
    ],
    ["replace-manifest ./manifest.json", { replaceManifest: "manifest.json" }],
  ];
  for (const [line, expected] of cases) {
    // ACB-7: the network of the host; ACB-8: plain names, owners kept.
    it(`ACB-5: ${line}`, async () => {
      const [step] = await stepsOf(line);
      assert.deepEqual(withoutDefaults(step, expected), expected);
    });
  }
  it("ACB-5: begin tells files, directories and names apart", async () => {
    assert.deepEqual(await baseOf("begin"), "empty");
    assert.deepEqual(await baseOf("begin ./base.aci"), { file: "./base.aci" });
    assert.deepEqual(await baseOf("begin ../tree"), { directory: "../tree" });
    assert.deepEqual(await baseOf("begin --insecure example.com/base:1"), { image: "example.com/base:1" });
    assert.deepEqual(await baseOf("begin docker://busybox:1"), { image: "docker://busybox:1" });
  });
  it("ACB-5: a mount or port is also removed by what it was added with", async () => {
    const [, mount] = await stepsOf("mount add data /data", "mount rm /data");
    assert.deepEqual(mount, { mountPoint: { name: "data", remove: true } });
    const [, port] = await stepsOf("port add http tcp 80", "port rm 80");
    assert.deepEqual(port, { port: { name: "http", remove: true } });
    await assert.rejects(stepsOf("mount rm /data"), fails("RECIPE_INVALID", /^s:3:1: ACB-5: .*nothing at \/data/));
  });
  const bad: readonly (readonly [string, RegExp])[] = [
    ["port add http tcp eighty", /^s:3:19: ACB-5: eighty is no whole number/],
    ["port add http tcp 70000", /^s:3:1: ACI-42/],
    ["label add VERSION 1", /^s:3:1: TYPE-1/],
    ["environment add 1A x", /^s:3:1: .*TYPE-11/],
    ["copy ../x /x", /^s:3:1: RECIPE-11/],
    ["copy /etc/passwd /x", /^s:3:1: RECIPE-11/],
    ["set-wd relative", /^s:3:1: /],
    ["set-event-handler sometimes -- x", /^s:3:1: ACB-5: there is no event sometimes/],
    ["isolator add cpu -", /^s:3:18: ACB-9: .*standard input/],
    ["isolator add cpu none.json", /^s:3:18: ACB-5: "none.json" is not there/],
    ["layer", /^s:3:1: ACB-9: layer: layers are for OCI/],
    ["set-tag x", /^s:3:1: ACB-9: set-tag/],
    ["dependency add a --label x", /^s:3:18: ACB-4: --label takes NAME=VALUE/],
  ];
  for (const [line, message] of bad) {
    it(`refused: ${line}`, async () => await assert.rejects(stepsOf(line), fails("RECIPE_INVALID", message)));
  }
  it("ACB-9: other kinds of images are refused by name", async () => {
    await assert.rejects(baseOf("begin --build-mode oci"), fails("RECIPE_INVALID", /^s:1:1: ACB-9: /));
  });
  it("knows every command of acbuild", () => {
    const names = `annotation add|annotation remove|begin|cat-manifest|copy|copy-to-dir|dependency add|dependency remove|end|environment add|
environment remove|gen-man-pages|help|isolator add|isolator remove|label add|label remove|layer|mount add|mount remove|port add|port remove|
replace-manifest|run|set-event-handler|set-exec|set-group|set-name|set-supp-groups|set-tag|set-user|set-working-directory|version|write`;
    assert.deepEqual(Object.keys(commands).sort(), names.split(/\|\s*/).sort());
  });
});
