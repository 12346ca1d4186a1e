/** perigee fetch */
import { fetchImages } from "../../api/fetch.ts";
import { Failure } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { pullOptions, pullPolicy } from "../pull-policy.ts";

export default defineCommand({
  name: "fetch",
  arguments: "<image...>",
  summary: "Fetch images, verify them and store them",
  description:
    "An image is NAME[:VERSION][,label=value…], found by discovery; the URL of an .aci; or a file. Its signature must be by a key " +
    "that is trusted for its name. What it depends on is fetched too. Prints the image ID of each image, one a line.",
  options: [
    ["--signature <file>", "the image's detached signature (only with one URL or file); otherwise IMAGE.asc"],
    ["--allow-expired-key", "a signature counts that an expired key made before it expired, by its own date"],
    ["--full", "print whole image IDs"],
    ...pullOptions("update"),
  ],
  examples: [
    "perigee fetch example.com/web:1.0.0",
    "perigee fetch ./web.aci",
    "perigee fetch https://example.com/web.aci --signature ./web.aci.asc",
    "perigee --insecure-options=image fetch ./unsigned.aci",
  ],
  notes: [
    "3: every place that was asked does not have it",
    "4: it has no signature, or none by a trusted key; a server wants to know who you are (auth.d)",
    "5: its signature is bad, it is another image than the one asked for, or an older one than before",
    "7: a server could not be reached",
  ],
  run: async ({ args, options, settings, signal }) => {
    const signature = options.text("signature");
    if (signature !== undefined && args.length !== 1) {
      throw new Failure("USAGE", "--signature is for one image, not for several", {
        hint: "fetch them one by one",
      });
    }
    return await fetchImages(settings, {
      images: args.map((reference) => ({ reference, signature })),
      allowExpiredKey: options.flag("allow-expired-key"),
      pullPolicy: pullPolicy(options, "update"),
      allowRollback: options.flag("allow-rollback"),
      signal,
    });
  },
  text: (images, { options }) => images.map(({ id }) => (options.flag("full") ? id : shortened(id))),
  json: (images) =>
    images.map(({ id, name, labels, source, signers, archive, tarSize, importedAt, latest }) => ({
      id,
      name,
      labels,
      source,
      signers: signers.map(({ fingerprint, signedAt }) => ({ fingerprint, signedAt })),
      size: archive.size,
      tarSize,
      importedAt,
      latest,
    })),
});

/** `sha512-` and 32 digits, as rkt. */
function shortened(id: string): string {
  return id.slice(0, "sha512-".length + 32);
}
