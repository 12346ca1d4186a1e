/** `perigee sign`: asks for the passphrase of each key that has one and was given none, once nothing else is in the way. */
import { formatFingerprint, givenPassphrase, selectKeys } from "../../api/keys.ts";
import { type SigningKeyChoice, signImage } from "../../api/sign.ts";
import { printable } from "../../base/failure.ts";
import { type CommandContext, defineCommand } from "../command.ts";

export default defineCommand({
  name: "sign",
  arguments: "<image>",
  summary: "Sign an image",
  description: "Writes IMAGE.aci.asc, an armoured detached OpenPGP signature of the file's bytes, whatever they are.",
  options: [
    ["--key <fingerprint>*", "sign with this key; several give several signatures in one file"],
    ["--gpg <keyid>*", "sign with this key of your gpg, whose agent asks for the passphrase"],
    ["--append", "keep the signatures of other keys that are in the file already"],
    ["--output <file>", "where the signature goes (default: IMAGE.asc)"],
    ["--overwrite", "replace the signature if it is there"],
    ["--passphrase-file <file>", "read the passphrase from the first line of this file"],
  ],
  examples: [
    "perigee sign web-1.0.0.aci",
    "perigee sign --key 3c1a0dfd --overwrite web-1.0.0.aci",
    "perigee sign --gpg release@example.com --append web-1.0.0.aci",
  ],
  notes: [
    "3: there is no such key, or no gpg",
    "5: with --append, a signature that is there is not of this image",
    "6: the signature is there already",
    "the passphrase is taken from --passphrase-file, else from PERIGEE_PASSPHRASE, else asked on the terminal; gpg-agent asks for those of gpg's keys",
  ],
  run: async (context) => {
    const { args, options, settings, signal } = context;
    return await signImage(settings, {
      image: args[0] ?? "",
      keys: await chooseKeys(context),
      gpg: options.list("gpg"),
      append: options.flag("append"),
      output: options.text("output"),
      overwrite: options.flag("overwrite"),
      signal,
    });
  },
  text: ({ signature, fingerprints, kept }) => [
    printable(signature),
    ...fingerprints.map((fingerprint) => `  signed by ${formatFingerprint(fingerprint)}`),
    ...(kept === 0
      ? []
      : [`  kept ${kept === 1 ? "1 signature" : `${kept} signatures`} that ${kept === 1 ? "was" : "were"} there`]),
  ],
});

async function chooseKeys({ options, settings, ask }: CommandContext): Promise<readonly SigningKeyChoice[]> {
  if (options.list("gpg").length > 0 && options.list("key").length === 0) return [];
  const given = await givenPassphrase(settings, options.text("passphrase-file"));
  const choices: SigningKeyChoice[] = [];
  for (const { fingerprint, isProtected } of await selectKeys(settings, options.list("key"))) {
    const question = `Passphrase of ${formatFingerprint(fingerprint)}: `;
    const passphrase = given ?? (() => ask(question, { secret: true }));
    choices.push({ fingerprint, passphrase: isProtected ? passphrase : undefined });
  }
  return choices;
}
