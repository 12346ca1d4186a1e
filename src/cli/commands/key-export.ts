/** `perigee key export`: the public key unless the secret one is asked for. */
import { exportKey } from "../../api/keys.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  name: "key export",
  arguments: "<fingerprint>",
  summary: "Print a signing key",
  description:
    "Prints the armoured public key, for those who shall trust it. A unique prefix of 8 or more digits names the key.",
  options: [
    ["--secret", "the secret key instead, protected as it is stored"],
    ["--output <file>", "write to this file instead of standard output"],
    ["--overwrite", "replace the file if it is there"],
  ],
  examples: ["perigee key export 3c1a0dfd > key.asc", "perigee key export --secret --output backup.asc 3c1a0dfd"],
  notes: ["3: there is no such key"],
  run: ({ args, options, settings }) =>
    exportKey(settings, {
      fingerprint: args[0] ?? "",
      secret: options.flag("secret"),
      output: options.text("output"),
      overwrite: options.flag("overwrite"),
    }),
  text: ({ path, armored }) => (path === undefined ? armored.trimEnd().split("\n") : [path]),
  json: ({ fingerprint, secret, path, armored }) =>
    path === undefined ? { fingerprint, secret, armored } : { fingerprint, secret, path },
});
