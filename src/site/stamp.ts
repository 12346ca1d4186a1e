/**
 * What tells without reading them whether files are those of the last time (SITE-4), as git tells it of its work tree: a digest of what the
 * kernel says of each. Another stamp means only that they have to be read.
 */
import { createHash } from "node:crypto";
import { type BigIntStats, stat } from "node:fs";
import { promisify } from "node:util";
import { sbomKinds, sbomLinks } from "../schema/sbom-link.ts";
import { signatureSuffix } from "./layout.ts";

/** What lies beside an image and is published with it. */
export const documentSuffixes: readonly string[] = sbomKinds.map((kind) => sbomLinks[kind].suffix);

/** Milliseconds. A file that changed just now may change again within one tick of the kernel's clock, and nothing would tell. */
const settlingTime = 100;

const statBig = promisify(stat) as (path: string, options: { bigint: true }) => Promise<BigIntStats>;

/**
 * Of the image at `path` and what lies beside it. A change of any of them changes the time of its inode, which nobody can set.
 * `salt`: what else the result depends on. Undefined: it is not there, or changed so shortly before `now` that nothing can be told.
 */
export async function stampOfSource(path: string, salt: string, now = Date.now()): Promise<string | undefined> {
  const found = await Promise.all(["", signatureSuffix, ...documentSuffixes].map((suffix) => look(`${path}${suffix}`)));
  if (found[0] === undefined) return undefined;
  const isSettled = found.every((file) => file === undefined || now - Number(file.ctimeMs) > settlingTime);
  if (!isSettled) return undefined;
  return digest([
    salt,
    ...found.map((file) => file && [file.dev, file.ino, file.size, file.mtimeNs, file.ctimeNs].join()),
  ]);
}

/** Of an image of the site and all that lies beside it there. Links come and go, so the time of the inode tells nothing here. */
export async function stampOfPlaced(paths: readonly (string | undefined)[]): Promise<string> {
  const found = await Promise.all(paths.map(look));
  return digest(found.map((file) => file && [file.ino, file.size, file.mtimeNs].join()));
}

function digest(parts: readonly (string | undefined)[]): string {
  return createHash("sha256")
    .update(JSON.stringify(parts.map((part) => part ?? null)))
    .digest("hex")
    .slice(0, 32);
}

async function look(path: string | undefined): Promise<BigIntStats | undefined> {
  if (path === undefined) return undefined;
  return await statBig(path, { bigint: true }).catch(() => undefined);
}
