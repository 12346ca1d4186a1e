/** `perigee key import` */
import { formatFingerprint, importKeys } from "../../api/keys.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  name: "key import",
  arguments: "<file>",
  summary: "Take over a signing key from a file",
  description:
    "Stores the secret keys of an OpenPGP file, such as gpg --export-secret-keys writes, protected as they are there.",
  examples: ["perigee key import backup.asc"],
  notes: ["3: the file is not there"],
  run: ({ args, settings }) => importKeys(settings, args[0] ?? ""),
  text: (keys) => keys.flatMap((key) => [formatFingerprint(key.fingerprint), `  secret key: ${key.path}`]),
});
