/** `perigee trust rm` */
import { formatFingerprint } from "../../api/keys.ts";
import { parsePrefix, type TrustScope } from "../../api/trust.ts";
import { untrustKey } from "../../api/trusted.ts";
import { Failure, printable } from "../../base/failure.ts";
import { defineCommand, type OptionValues } from "../command.ts";

export default defineCommand({
  name: "trust rm",
  arguments: "<fingerprint>",
  summary: "Stop trusting a key",
  description:
    "Removes the key's files, for one prefix, for all images, or wherever it is trusted. What the system brings is hidden by an empty file. Images that only this key vouched for do not run any more.",
  options: [
    ["--prefix <prefix>", "only where it is trusted for exactly this prefix"],
    ["--root", "only where it is trusted for all images"],
  ],
  examples: ["perigee trust rm 3c1a0dfd", "perigee trust rm --prefix example.com/web 3c1a0dfd"],
  notes: ["3: no such key is trusted there"],
  run: ({ args, options, settings, signal }) =>
    untrustKey(settings, { fingerprint: args[0] ?? "", scope: scopeOf(options), signal }),
  text: (places) =>
    places.flatMap(({ fingerprint, scope, removed, mask }) => [
      `no longer trusted for ${scope === "root" ? "all images" : scope}: ${formatFingerprint(fingerprint)}`,
      ...removed.filter((path) => path !== mask).map((path) => `  removed ${printable(path)}`),
      ...(mask === undefined ? [] : [`  masked by ${printable(mask)}`]),
    ]),
});

function scopeOf(options: OptionValues): TrustScope | undefined {
  const prefix = options.text("prefix");
  if (options.flag("root") && prefix !== undefined) {
    throw new Failure("USAGE", "--prefix and --root exclude each other", {
      hint: "without either, all places are meant",
    });
  }
  if (options.flag("root")) return "root";
  return prefix === undefined ? undefined : { prefix: parsePrefix(prefix) };
}
