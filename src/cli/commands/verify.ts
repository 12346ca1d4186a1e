/** `perigee verify` */
import { formatFingerprint } from "../../api/keys.ts";
import { verifyImage } from "../../api/verify.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  name: "verify",
  arguments: "<image>",
  summary: "Verify the signature of an image",
  description: "Checks an image file against IMAGE.aci.asc and the keys you trust for the image's name.",
  options: [
    ["--signature <file>", "the signature (default: IMAGE.asc)"],
    ["--allow-expired-key", "a signature counts that an expired key made before it expired, by its own date"],
    ["--name <name>", "the name the image must have (default: what its manifest says)"],
  ],
  examples: ["perigee verify web-1.0.0.aci", "perigee verify --name example.com/web web-1.0.0.aci"],
  notes: [
    "4: no signature, none by a trusted key, or one that does not count (expired, revoked, too weak)",
    "5: a trusted key's signature is not of these bytes, or the image has another name",
  ],
  run: ({ args, options, settings, signal }) =>
    verifyImage(settings, {
      image: args[0] ?? "",
      signature: options.text("signature"),
      name: options.text("name"),
      allowExpiredKey: options.flag("allow-expired-key"),
      signal,
    }),
  text: ({ name, signers }) => [
    `${printable(name)}: good signature`,
    ...signers.flatMap((signer) => [
      `  signed by ${formatFingerprint(signer.fingerprint)}`,
      `    ${signer.identity}`,
      `    on ${signer.signedAt.toISOString()}, trusted for ${signer.scope === "root" ? "all images" : signer.scope}`,
    ]),
  ],
});
