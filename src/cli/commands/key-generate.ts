/** `perigee key generate`: asks for a passphrase, twice, where none is given. */
import { createKey, formatFingerprint, givenPassphrase } from "../../api/keys.ts";
import { Failure } from "../../base/failure.ts";
import { type CommandContext, defineCommand } from "../command.ts";

export default defineCommand({
  name: "key generate",
  summary: "Make a signing key",
  description:
    "Makes an OpenPGP key for signing images and stores it in your configuration directory, protected by a passphrase. gpg 2.2 and newer can use it too.",
  options: [
    ["--name <name>", "who signs, for example your name or your project's"],
    ["--email <email>", "where the signer can be reached"],
    ["--type <type>", "ed25519 or rsa4096", "ed25519"],
    ["--passphrase-file <file>", "read the passphrase from the first line of this file"],
    ["--no-passphrase", "store the key unprotected"],
  ],
  examples: [
    'perigee key generate --name "Example Builds" --email builds@example.com',
    "perigee key generate --name CI --email ci@example.com --no-passphrase",
  ],
  notes: ["the passphrase is taken from --passphrase-file, else from PERIGEE_PASSPHRASE, else asked on the terminal"],
  run: async (context) => {
    const { options, settings } = context;
    const [name, email] = [options.text("name"), options.text("email")];
    if (name === undefined || email === undefined) {
      throw new Failure("USAGE", "a key needs --name and --email", {
        hint: "perigee key generate --name NAME --email EMAIL",
      });
    }
    const type = options.text("type");
    if (type !== "ed25519" && type !== "rsa4096") {
      throw new Failure("USAGE", "--type is ed25519 or rsa4096", { subject: type });
    }
    return await createKey(settings, { name, email, type, passphrase: await newPassphrase(context) });
  },
  text: (key) => [`${formatFingerprint(key.fingerprint)}`, `  secret key: ${key.path}`],
});

async function newPassphrase({ options, settings, ask }: CommandContext): Promise<string | undefined> {
  const file = options.text("passphrase-file");
  if (!options.flag("passphrase")) {
    if (file === undefined) return undefined;
    throw new Failure("USAGE", "--passphrase-file and --no-passphrase exclude each other");
  }
  const given = await givenPassphrase(settings, file);
  if (given !== undefined) return given;
  const typed = await ask("Passphrase for the new key: ", { secret: true });
  if (typed === undefined) {
    throw new Failure("USAGE", "a new key needs a passphrase, and there is no terminal to ask for it", {
      hint: "--passphrase-file FILE, or --no-passphrase",
    });
  }
  if ((await ask("The same again: ", { secret: true })) === typed) return typed;
  throw new Failure("USAGE", "the two passphrases differ");
}
