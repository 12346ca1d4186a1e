/** `perigee trust check` */
import { formatFingerprint } from "../../api/keys.ts";
import { checkTrust } from "../../api/trusted.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  name: "trust check",
  arguments: "<name>",
  summary: "Show which keys count for an image name, and why others do not",
  description:
    "A signature by a key that counts makes an image of this name fetch and run. Expired keys count for nothing new; images that are stored still run.",
  examples: ["perigee trust check example.com/web", "perigee trust check example.com/web:1.0.0 --format json"],
  notes: ["4: no key counts for the name"],
  run: ({ args, settings }) => checkTrust(settings, { name: args[0] ?? "" }),
  text: ({ name, keys }) => {
    const count = keys.filter(({ state }) => state === "counts").length;
    const heading = `${name}: ${count === 0 ? "no key counts" : count === 1 ? "1 key counts" : `${count} keys count`}`;
    return [
      heading,
      ...keys.flatMap((key) => [
        `  ${key.state === "counts" ? "counts" : "does not count"}: ${formatFingerprint(key.fingerprint)}`,
        ...(key.identities[0] === undefined ? [] : [`    ${printable(key.identities[0])}`]),
        `    ${printable(key.reason ?? `trusted for ${key.scope === "root" ? "all images" : key.scope}`)}`,
        `    ${printable(key.path)}`,
      ]),
    ];
  },
  status: ({ isTrusted }) => (isTrusted ? 0 : 4),
});
