/** `perigee trust list` */
import { listTrusted } from "../../api/trusted.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { formatTable } from "../tables.ts";

export default defineCommand({
  name: "trust list",
  summary: "List trusted keys and masks",
  description:
    "Shows every key file of the three configuration directories: for which images it is trusted, whose it is, and whether it counts.",
  examples: ["perigee trust list", "perigee trust list --format json"],
  notes: ["1: a file or directory there cannot be believed; the message says how to mend it"],
  run: ({ settings }) => listTrusted(settings),
  text: (keys) =>
    formatTable(
      ["FINGERPRINT", "FOR", "STATE", "IDENTITY", "FILE"],
      keys.map((key) => [
        key.fingerprint,
        key.scope === "root" ? "all images" : key.scope,
        key.state === "counts" ? "ok" : key.state,
        printable(key.identities[0] ?? "-"),
        printable(key.path),
      ]),
    ),
});
