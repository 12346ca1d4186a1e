/** Images of a site as its pages see them, without files. */
import type { KnownFacts } from "../../src/site/facts.ts";
import { parseFacts } from "../../src/site/facts.ts";
import { imageFile } from "../../src/site/layout.ts";
import type { SiteImage } from "../../src/site/page.ts";

export const signer = "11".repeat(20);

/** Facts of an image whose manifest has these fields besides its name and labels. */
export function factsOf(name: string, version: string, manifest: Readonly<Record<string, unknown>> = {}): KnownFacts {
  const labels = Object.entries({ version, os: "linux", arch: "amd64" }).map(([label, value]) => ({
    name: label,
    value,
  }));
  const facts = parseFacts(
    JSON.stringify({
      id: `sha512-${Buffer.from(`${name} ${version}`).toString("hex").padEnd(128, "0").slice(0, 128)}`,
      compression: "gzip",
      tarSize: 4096,
      entries: 3,
      fileBytes: 2048,
      largest: [{ path: "/bin/<b>app", size: 2000 }],
      signatures: [{ fingerprint: signer, identity: "Ann <ann@example.com>", signedAt: "2026-01-02T03:04:05.000Z" }],
      documents: [".spdx.json"],
      manifest: { acKind: "ImageManifest", acVersion: "0.8.11", name, labels, ...manifest },
    }),
  );
  if (facts === undefined) throw new Error("these are no facts");
  return facts;
}

/** A signed image. */
export function siteImage(name: string, version: string, manifest: Readonly<Record<string, unknown>> = {}): SiteImage {
  const key = { name, version, os: "linux", arch: "amd64" };
  return { ...key, file: imageFile(key), size: 1234, signers: [signer], facts: factsOf(name, version, manifest) };
}
