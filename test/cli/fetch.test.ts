import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import command from "../../src/cli/commands/fetch.ts";
import { fails } from "../helpers/failures.ts";
import { FetchWorld, type MadeImage } from "../helpers/fetch-world.ts";
import { contextOf, type Given, settingsIn } from "../helpers/trust.ts";

let world: FetchWorld;
let image: MadeImage & { path: string };
before(async () => {
  world = await FetchWorld.open();
  image = await world.writeImage("web.aci", { name: "example.com/web", version: "1.0" }, "none");
});
after(() => world.close());

const context = (given: Given) =>
  contextOf(
    command,
    settingsIn(world.directory, { insecure: new Set(["image"]), http: async () => world.http }),
    given,
  );

describe("perigee fetch", () => {
  it("prints one image ID a line: sha512- and 32 digits, or all of them", async () => {
    const short = context({ args: [image.path, image.path] });
    const result = await command.run(short);
    assert.deepEqual(command.text(result, short), [image.id.slice(0, 39), image.id.slice(0, 39)]);
    assert.deepEqual(command.text(result.slice(0, 1), context({ options: { full: true } })), [image.id]);
  });

  it("--format json is an array of plain data", async () => {
    const result = await command.run(context({ args: [image.path] }));
    const json: unknown = JSON.parse(JSON.stringify(command.json?.(result)));
    assert.ok(Array.isArray(json));
    const [{ importedAt, ...rest }] = json;
    assert.ok(!Number.isNaN(Date.parse(importedAt)));
    assert.deepEqual(rest, {
      id: image.id,
      name: "example.com/web",
      labels: result[0]?.labels,
      source: image.path,
      signers: [],
      size: image.bytes.length,
      tarSize: image.tar.length,
      latest: false,
    });
  });

  it("hands the pull policy on and refuses unknown ones", async () => {
    const never = { "pull-policy": "never" };
    await assert.rejects(command.run(context({ args: ["example.com/none"], options: never })), fails("NOT_FOUND"));
    assert.equal((await command.run(context({ args: ["example.com/web"], options: never })))[0]?.id, image.id);
    const odd = { "pull-policy": "always" };
    await assert.rejects(command.run(context({ args: ["example.com/web"], options: odd })), fails("USAGE", /always/));
  });

  it("--signature is for one image", async () => {
    const given = { args: [image.path, image.path], options: { signature: "x" } };
    await assert.rejects(command.run(context(given)), fails("USAGE", /one image/));
  });
});
