/** `perigee key list` */
import { formatFingerprint, listKeys } from "../../api/keys.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { formatTable } from "../tables.ts";

export default defineCommand({
  name: "key list",
  summary: "List your signing keys",
  examples: ["perigee key list", "perigee key list --format json"],
  run: ({ settings }) => listKeys(settings),
  text: (keys) =>
    formatTable(
      ["FINGERPRINT", "TYPE", "CREATED", "PROTECTED", "IDENTITY", "STATE"],
      keys.map((key) => [
        formatFingerprint(key.fingerprint),
        key.algorithm,
        key.createdAt.toISOString().slice(0, 10),
        key.isProtected ? "yes" : "no",
        printable(key.identities[0] ?? ""),
        printable(key.problem ?? "ok"),
      ]),
    ),
});
