/**
 * The proof that a build is reproducible: it is done once more, by another process, in another place and with another environment, and every
 * byte is compared. docs/reproducible.md says what has to be equal.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Failure, printable } from "../base/failure.ts";
import { ignoreMissing } from "../base/files.ts";
import { withProgress } from "../base/log.ts";
import { copyTreeExactly } from "../image/copy.ts";
import { type Difference, firstDifference } from "../image/first-difference.ts";
import { type SbomKind, sbomPath } from "../schema/sbom-link.ts";
import { runAgain } from "../shim/again.ts";
import { removeTrees } from "../shim/remove.ts";
import type { ImageParts } from "./build-sbom.ts";
import type { Settings } from "./settings.ts";

export interface CheckedBuild {
  /** Whether the second build was made of a copy: what only root can copy is read where it is. */
  readonly copied: boolean;
}

export interface BuildToCheck {
  /** The image that was built. It is removed again when the check fails. */
  readonly path: string;
  readonly sbom?: SbomKind | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * The words behind `perigee build` of the second build, without its output.
   * @param directory empty, for whatever the second build is made of
   */
  readonly prepare: (directory: string) => Promise<{ readonly words: readonly string[]; readonly copied: boolean }>;
}

/** As different as a process can be without becoming another program. */
const otherUmask = 0o077;
const otherEnvironment = { LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8", TZ: "Pacific/Chatham" } as const;

/** @throws Failure DIGEST_MISMATCH naming the first difference; whatever made the second build fail */
export async function checkBuild(settings: Settings, build: BuildToCheck): Promise<CheckedBuild> {
  const { path, sbom } = build;
  const work = await mkdtemp(join(tmpdir(), `perigee-check-${process.pid}-`));
  try {
    const source = join(work, "source");
    await mkdir(source);
    const { words, copied } = await build.prepare(source);
    const second = join(work, "second.aci");
    await buildAgain(settings, [...words, second], work, build);
    await compare(path, second);
    if (sbom !== undefined) await compareSboms(sbomPath(path, sbom), sbomPath(second, sbom));
    return { copied };
  } catch (error) {
    await unlink(path).catch(ignoreMissing);
    if (sbom !== undefined) await unlink(sbomPath(path, sbom)).catch(ignoreMissing);
    throw error;
  } finally {
    await removeTrees(work, ["source"]).catch(() => {});
    await rm(work, { recursive: true, force: true });
  }
}

async function buildAgain(
  settings: Settings,
  words: readonly string[],
  work: string,
  { path, signal }: Pick<BuildToCheck, "path" | "signal">,
): Promise<void> {
  const { data, systemConfig, localConfig, userConfig } = settings.directories;
  const globals = ["--dir", data, "--system-config", systemConfig, "--local-config", localConfig];
  const epoch = settings.sourceDateEpoch;
  const environment = {
    ...otherEnvironment,
    PATH: settings.environment.get("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: work,
    TMPDIR: work,
    ...(epoch === undefined ? {} : { SOURCE_DATE_EPOCH: String(epoch) }),
  };
  const insecure = settings.insecure.size === 0 ? [] : [`--insecure-options=${[...settings.insecure].join(",")}`];
  const line = ["build", ...globals, "--user-config", userConfig, ...insecure, ...words];
  await withProgress(settings.log, `building ${printable(basename(path))} once more`, async (tell) => {
    tell();
    const { status, stderr } = await runAgain(line, { directory: work, environment, umask: otherUmask, signal });
    if (status !== 0) throw failedAgain(status, stderr);
  });
}

function failedAgain(status: number | null, stderr: string): Failure {
  return new Failure("DIGEST_MISMATCH", "the build succeeded the first time and failed the second time", {
    cause: stderr.trim() || `exit status ${status}`,
  });
}

async function compare(path: string, second: string): Promise<void> {
  if (await sameContent(path, second)) return;
  const difference = await firstDifference(createReadStream(path), createReadStream(second));
  throw new Failure("DIGEST_MISMATCH", `two builds of ${printable(path)} differ: ${sentence(difference)}`, {
    subject: difference?.entry,
    cause: difference === undefined ? undefined : `${difference.first} against ${difference.second}`,
    hint: "docs/reproducible.md says what makes builds differ",
  });
}

function sentence(difference: Difference | undefined): string {
  if (difference === undefined) return "the archives hold the same, but are not compressed or padded alike";
  return `the first difference is ${difference.field} of ${difference.entry}`;
}

async function sameContent(first: string, second: string): Promise<boolean> {
  const [one, other] = await Promise.all([first, second].map(digestOf));
  return one === other;
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha512");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

async function compareSboms(path: string, second: string): Promise<void> {
  if (await sameContent(path, second)) return;
  throw new Failure("DIGEST_MISMATCH", `two bills of materials of ${printable(path)} differ`, { subject: path });
}

/**
 * Copies what a directory build is made of. Where the caller cannot make the same tree again (files of others, devices), the second build reads the
 * tree of the first: everything but the place is another then.
 */
export async function copyParts(
  settings: Settings,
  parts: ImageParts,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly words: readonly string[]; readonly copied: boolean }> {
  const [manifest, rootfs] = [join(directory, "manifest"), join(directory, "rootfs")];
  await writeFile(manifest, parts.manifest);
  await mkdir(rootfs);
  const { caller } = settings;
  const { skipped, owners } = await copyTreeExactly(parts.rootfs, rootfs, { owner: caller.isRoot, signal });
  const own = `${caller.uid}:${caller.gid}`;
  const copied = skipped.length === 0 && (caller.isRoot || [...owners].every((owner) => owner === own));
  return { words: ["--manifest", manifest, "--rootfs", copied ? rootfs : parts.rootfs], copied };
}
