/** A publisher and a reader for the benchmarks: images, one key, who trusts it; all of it below the work directory. */
import { spawnSync } from "node:child_process";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "./rows.ts";

/** An image `example.com/NAME` for this host, of a new layout whose rootfs `fill` fills. @returns its path */
export function makeLayout(
  { work, program, log }: Context,
  layout: string,
  name: string,
  fill: (rootfs: string) => void,
  flags: readonly string[] = [],
): string {
  const rootfs = join(layout, "rootfs");
  mkdirSync(rootfs, { recursive: true });
  const manifest = {
    acKind: "ImageManifest",
    acVersion: "0.8.11",
    name: `example.com/${name}`,
    labels: [
      { name: "os", value: "linux" },
      { name: "arch", value: process.arch === "arm64" ? "aarch64" : "amd64" },
    ],
    app: { exec: ["/bin/true"], user: "0", group: "0" },
  };
  writeFileSync(join(layout, "manifest"), JSON.stringify(manifest));
  fill(rootfs);
  const image = join(work, `${name}.aci`);
  must([program, "build", "--overwrite", ...flags, layout, image]);
  log(`bench: ${name}.aci has ${Math.round(statSync(image).size / 1e6)} MB`);
  return image;
}

/** The one signing key of the work directory's user. */
export function makeKey(context: Context): void {
  const words = ["key", "generate", "--name", "Bench", "--email", "bench@example.com", "--no-passphrase"];
  must([...own(context), ...words], signingEnvironment(context));
}

export function signingEnvironment({ work }: Context): Readonly<Record<string, string>> {
  const home = join(work, "home");
  mkdirSync(join(home, "gnupg"), { recursive: true, mode: 0o700 });
  return {
    HOME: home,
    XDG_CONFIG_HOME: join(home, "config"),
    XDG_DATA_HOME: join(home, "data"),
    GNUPGHOME: join(home, "gnupg"),
  };
}

/** The program with a local configuration of its own, so that the machine's is neither used nor changed. */
export function own({ work, program }: Context): readonly string[] {
  return [program, "--local-config", join(work, "home", "etc")];
}

export function keyring({ work }: Context): string {
  return join(work, "bench.gpg");
}

/** Trusts the key of `makeKey` for the images of `makeLayout`. */
export function trustOwnKeys(context: Context): void {
  const env = signingEnvironment(context);
  const exported = spawnSync(context.program, ["key", "list", "--format", "json"], {
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  const [key] = JSON.parse(exported.stdout) as { fingerprint: string }[];
  if (key === undefined) throw new Error("no key was generated");
  const file = join(context.work, "bench-public.asc");
  must([...own(context), "key", "export", "--output", file, key.fingerprint], env);
  must([...own(context), "trust", "--prefix", "example.com", "--fingerprint", key.fingerprint, file], env);
}

/** @throws Error when it fails */
export function must(argv: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const [command = "", ...args] = argv;
  const result = spawnSync(command, args, { env: { ...process.env, ...env }, encoding: "utf8" });
  if (result.status !== 0) throw new Error(`${argv.join(" ")}: exit ${result.status}\n${result.stderr}`);
}
