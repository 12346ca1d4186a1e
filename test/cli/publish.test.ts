import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import publish from "../../src/cli/commands/publish.ts";
import { makeArchive } from "../helpers/images.ts";
import { contextOf, failure, settingsIn, temporary } from "../helpers/trust.ts";

const path = temporary();
before(async () => {
  const manifest = { acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/web" };
  writeFileSync(path("web.aci"), await makeArchive(Buffer.from(JSON.stringify(manifest)), []));
});

const context = (options: Readonly<Record<string, string>>) =>
  contextOf(publish, settingsIn(path()), { args: [path("web.aci")], options });

describe("perigee publish", () => {
  it("shows what became of each image, and where each page is", async () => {
    const given = context({ out: path("site"), url: "https://example.com" });
    const lines = publish.text(await publish.run(given), given);
    assert.deepEqual(
      lines.map((line) => line.split(/\s{2,}/)),
      [
        ["IMAGE", "SIGNED", "CHANGE", "URL"],
        ["example.com/web", "no", "added", "https://example.com/example.com/web-latest.aci"],
        [""],
        ["PAGE", "FILE"],
        ["https://example.com/web", "web/index.html"],
        ["https://example.com", "index.html"],
      ],
    );
  });

  it("needs to know where to and for which address", async () => {
    await assert.rejects(async () => publish.run(context({ url: "https://example.com" })), failure("USAGE", /--out/));
    await assert.rejects(async () => publish.run(context({ out: path("site") })), failure("USAGE", /--url/));
  });
});
