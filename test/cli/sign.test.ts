import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createKey } from "../../src/api/keys.ts";
import command from "../../src/cli/commands/sign.ts";
import { contextOf, failure, formatted, invoke, settingsIn, temporary } from "../helpers/trust.ts";

describe("perigee sign", () => {
  const path = temporary();
  const prepared = async (...passphrases: readonly (string | undefined)[]) => {
    const directory = mkdtempSync(path("case-"));
    const settings = settingsIn(directory);
    const keys: string[] = [];
    for (const passphrase of passphrases) {
      keys.push((await createKey(settings, { name: "A", email: "a@example.com", passphrase })).fingerprint);
    }
    const image = join(directory, "web.aci");
    writeFileSync(image, "archive");
    return { settings, keys, image };
  };

  it("signs with the only key, and prints the signature's path and who signed", async () => {
    const { settings, keys, image } = await prepared(undefined);
    const { lines, json, asked } = await invoke(command, settings, { args: [image] });
    assert.deepEqual(lines, [`${image}.asc`, `  signed by ${formatted(keys[0])}`]);
    assert.deepEqual(asked, []);
    const { signedAt, ...rest } = Object(json);
    assert.deepEqual(rest, { image, signature: `${image}.asc`, fingerprints: keys, kept: 0 });
    assert.match(signedAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it("asks for the passphrase of each key that has one", async () => {
    const { settings, keys, image } = await prepared("one", undefined, "three");
    const { asked } = await invoke(command, settings, {
      args: [image],
      options: { key: keys },
      answers: ["one", "three"],
    });
    assert.deepEqual(asked, [`Passphrase of ${formatted(keys[0])}: `, `Passphrase of ${formatted(keys[2])}: `]);
    assert.equal(readFileSync(`${image}.asc`, "utf8").match(/BEGIN/g)?.length, 1);
  });

  it("asks nothing when the passphrase is given, and says how to give it when nobody can be asked", async () => {
    const { settings, image } = await prepared("one");
    await assert.rejects(
      invoke(command, settings, { args: [image] }),
      failure("PASSPHRASE_WRONG", /needs its passphrase/),
    );
    const environment = new Map([["PERIGEE_PASSPHRASE", "one"]]);
    const { asked } = await invoke(command, { ...settings, environment }, { args: [image] });
    assert.deepEqual(asked, []);
    writeFileSync(path("pass"), "wrong\n");
    const options = { overwrite: true, "passphrase-file": path("pass") };
    const run = invoke(command, { ...settings, environment }, { args: [image], options });
    await assert.rejects(run, failure("PASSPHRASE_WRONG", /does not open/));
  });

  it("looks at the image and the place of the signature before it asks for a passphrase", async () => {
    const { settings, image } = await prepared("one");
    const missing = invoke(command, settings, { args: [`${image}.not`], answers: ["one"] });
    await assert.rejects(missing, failure("NOT_FOUND", /not there/));
    writeFileSync(`${image}.asc`, "");
    let asked = 0;
    const context = contextOf(command, settings, { args: [image] });
    const ask = async () => {
      asked += 1;
      return "one";
    };
    await assert.rejects(Promise.resolve(command.run({ ...context, ask })), failure("ALREADY_EXISTS", /./));
    assert.equal(asked, 0);
  });

  it("adds with --append, and says so", async () => {
    const { settings, keys, image } = await prepared(undefined, undefined);
    const run = (key: string | undefined) =>
      invoke(command, settings, { args: [image], options: { key: [key ?? ""], append: true } });
    assert.equal((await run(keys[0])).lines.length, 2);
    assert.deepEqual((await run(keys[1])).lines, [
      `${image}.asc`,
      `  signed by ${formatted(keys[1])}`,
      "  kept 1 signature that was there",
    ]);
  });

  it("writes elsewhere with --output", async () => {
    const { settings, image } = await prepared(undefined);
    const output = path("elsewhere.asc");
    assert.equal((await invoke(command, settings, { args: [image], options: { output } })).lines[0], output);
    assert.match(readFileSync(output, "utf8"), /PGP SIGNATURE/);
  });
});
