/** A site as its publisher makes it with the built program: images of which one is made of another, a key, a directory to serve. */
import { randomBytes } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { imageManifest, printed, type Workspace } from "./program.ts";

export interface SiteImageOptions {
  readonly version?: string;
  readonly manifest?: Readonly<Record<string, unknown>>;
  /** Bytes of a file that cannot be compressed. */
  readonly ballast?: number;
}

/** A signed image file of the name; its path. */
export function signedImage(work: Workspace, name: string, options: SiteImageOptions = {}): string {
  const { version = "1.0.0", manifest = {}, ballast = 0 } = options;
  const word = `${name.replaceAll("/", "-")}-${version}`;
  const usual = imageManifest(name, { exec: ["/guest", "exit", "7"] });
  const labels = (usual["labels"] as readonly { readonly name: string; readonly value: string }[]).map((label) =>
    label.name === "version" ? { name: "version", value: version } : label,
  );
  const rootfs = work.rootfs(`${word}-rootfs`);
  if (ballast > 0) writeFileSync(work.path(`${word}-rootfs`, "ballast"), randomBytes(ballast));
  writeFileSync(work.path(`${word}.json`), JSON.stringify({ ...usual, labels, ...manifest }));
  work.must(["build", "--overwrite", "--manifest", `${word}.json`, "--rootfs", rootfs, `${word}.aci`]);
  work.must(["sign", "--overwrite", `${word}.aci`]);
  return work.path(`${word}.aci`);
}

/** A key of the workspace's own. Returns the fingerprint. */
export function ownKey(work: Workspace, name: string): string {
  work.must(["key", "generate", "--name", name, "--email", `${name.toLowerCase()}@example.com`, "--no-passphrase"]);
  const [key] = JSON.parse(work.must(["key", "list", "--format", "json"])) as readonly {
    readonly fingerprint: string;
  }[];
  return key?.fingerprint ?? "";
}

/** Starts `perigee serve` of the directory; the port it chose. */
export async function serveSite(work: Workspace, directory: string): Promise<number> {
  const server = work.start(["serve", "--listen", "127.0.0.1:0", directory]);
  const [, port] = await printed(server, /https:\/\/127\.0\.0\.1:(\d+)/);
  return Number(port);
}

/** The certificate of the workspace's own authority. */
export function caFile(work: Workspace): string {
  const ca = readdirSync(work.path("config"), { recursive: true })
    .map(String)
    .find((path) => path.endsWith("ca.pem"));
  if (ca === undefined) throw new Error("nothing was served yet");
  return work.path("config", ca);
}
