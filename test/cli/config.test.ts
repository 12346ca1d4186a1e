import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { perigee } from "../helpers/command.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

describe("perigee config", () => {
  it("prints a table, JSON, and the defaults on demand", async (t) => {
    const data = await temporaryDirectory(t);
    const empty = perigee(data, "config");
    assert.equal(empty.status, 0);
    assert.match(
      empty.stdout,
      /^DIRECTORY +IS +FROM\ndata +\/.*the command line or the default\n[\s\S]*\n\nno configuration file sets anything\n$/,
    );
    const folder = join(data, "no-configuration", "limits.d");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "own.json"), '{"perigeeKind": "limits", "perigeeVersion": "v1", "ratio": 300}');
    const table = perigee(data, "config").stdout;
    assert.match(table, /\nKIND +ITEM +VALUE +FROM\nlimits +ratio +300 +\/.*\/own\.json\n$/);
    assert.match(perigee(data, "config", "--all").stdout, /\nlimits +entries +2000000 +default\n/);
    const { values } = JSON.parse(perigee(data, "config", "--format", "json").stdout);
    assert.deepEqual(values, [
      { kind: "limits", item: "ratio", value: 300, file: join(folder, "own.json"), overrides: [] },
    ]);
  });

  it("names a broken file and the place in it (CLI-63)", async (t) => {
    const data = await temporaryDirectory(t);
    const folder = join(data, "no-configuration", "http.d");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "own.json"), '{\n  "perigeeKind": "http",\n  oops\n}');
    const { status, stdout, stderr } = perigee(data, "config");
    assert.deepEqual([status, stdout], [1, ""]);
    assert.match(stderr, /error\[JSON_INVALID\]: .*http\.d\/own\.json/);
    assert.match(stderr, /\b3:3\b|line 3/);
  });
});
