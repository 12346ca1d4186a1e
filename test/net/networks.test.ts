import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { chooseNetworks, configuredNetworks } from "../../src/net/networks.ts";
import { parseSelection } from "../../src/net/selection.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const conf = (name: string, type: string) => JSON.stringify({ cniVersion: "1.0.0", name, type });
const conflist = (name: string, type: string) => JSON.stringify({ cniVersion: "1.0.0", name, plugins: [{ type }] });

async function config(t: TestContext, ...layers: readonly Readonly<Record<string, string>>[]) {
  const root = await temporaryDirectory(t);
  return layers.map((files, index) => {
    const directory = join(root, String(index));
    mkdirSync(join(directory, "net.d"), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, "net.d", name), text);
    return directory;
  });
}
const choose = (text: string, directories: readonly string[]) =>
  chooseNetworks(parseSelection([text]), directories).map(({ request, list }) => [
    request.name,
    list === "builtin" ? list : list.plugins[0]?.type,
  ]);

describe("networks (NET-11)", () => {
  it("the first file of a name counts in a directory, and later directories win", async (t) => {
    const directories = await config(
      t,
      { "10-a.conflist": conflist("lan", "low"), "20-b.conf": conf("lan", "second"), "README.md": "no" },
      { "10-a.json": conf("back", "mid") },
      { "x.conflist": conflist("lan", "high") },
    );
    const found = configuredNetworks([...directories, join(directories[0] ?? "", "missing")]);
    assert.deepEqual([...found].map(([name, list]) => [name, list.plugins[0]?.type]).sort(), [
      ["back", "mid"],
      ["lan", "high"],
    ]);
    assert.match(found.get("lan")?.file ?? "", /x\.conflist$/);
  });
  it("one of one's own takes the place of a built-in one", async (t) => {
    const directories = await config(t, { "a.conf": conf("default", "macvlan") });
    assert.deepEqual(choose("default,default-restricted", directories), [
      ["default", "macvlan"],
      ["default-restricted", "builtin"],
    ]);
    assert.deepEqual(choose("default", []), [["default", "builtin"]]);
  });
  it("all: what is configured, and the default", async (t) => {
    const directories = await config(t, { "a.conf": conf("lan", "macvlan") });
    assert.deepEqual(choose("all", directories), [
      ["default", "builtin"],
      ["lan", "macvlan"],
    ]);
    assert.deepEqual([choose("none", directories), choose("host", directories)], [[], []]);
  });
  it("an unknown one is refused, with what there is and what may have been meant", async (t) => {
    const directories = await config(t, { "a.conf": conf("backend", "macvlan") });
    assert.throws(
      () => choose("bakend", directories),
      fails("NOT_FOUND", /no network bakend/, { hint: /--net=backend/, cause: /default, default-restricted, backend/ }),
    );
    assert.throws(() => choose("zzzzzz", directories), fails("NOT_FOUND", /zzzzzz/, { hint: /net\.d/ }));
  });
  it("what cannot be read as a configuration is told with its file", async (t) => {
    const [directory = ""] = await config(t, { "a.conf": "{" });
    assert.throws(() => choose("default", [directory]), fails("JSON_INVALID", /a\.conf/));
    const [linked = ""] = await config(t, {});
    symlinkSync("/etc/passwd", join(linked, "net.d", "b.conf"));
    assert.throws(() => choose("default", [linked]), fails("CONFIG_INVALID", /b\.conf is not a regular file/));
  });
});
