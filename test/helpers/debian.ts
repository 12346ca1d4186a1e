/** Files of Debian: packages and a whole root file system, fetched once and kept in node_modules/.cache/debian, which a build leaves alone. Needs root and, the first time, the network. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { project } from "./program.ts";

const kept = join(project, "node_modules", ".cache", "debian");

/** Another may hold apt's lock just now, and a mirror may break off. */
const patient = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=5"];

function run(command: string, args: readonly string[], cwd = kept): number {
  mkdirSync(kept, { recursive: true });
  const { status, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8", timeout: 600_000 });
  if (error !== undefined) throw error;
  if (status !== 0) process.stderr.write(stderr);
  return status ?? -1;
}

function must(why: string, command: string, args: readonly string[], cwd = kept): void {
  if (run(command, args, cwd) !== 0) throw new Error(`${why}: ${command} ${args.join(" ")} failed`);
}

/** The archive of a package of this system's release. */
function packageFile(name: string): string {
  const found = () => (existsSync(kept) ? readdirSync(kept).find((file) => file.split("_")[0] === name) : undefined);
  const download = [...patient, "download", name];
  if (found() === undefined && run("apt-get", download) !== 0) {
    must("the lists of Debian's packages are needed", "apt-get", [...patient, "-qq", "update"]);
    must("a package of Debian is needed for this test", "apt-get", download);
  }
  return join(kept, found() ?? "");
}

/** Unpacks the files of a package into the new directory `directory`. */
export function unpackPackage(name: string, directory: string): void {
  mkdirSync(directory, { recursive: true });
  must("the package cannot be unpacked", "dpkg-deb", ["-x", packageFile(name), directory]);
}

/** Unpacks a root file system that debootstrap made into the new directory `directory`. It takes a minute the first time. */
export function unpackRoot(directory: string): void {
  const archive = join(kept, "root.tar");
  if (!existsSync(archive)) makeRoot(archive);
  mkdirSync(directory, { recursive: true });
  must(
    "the root cannot be unpacked",
    "tar",
    ["--numeric-owner", "-p", "--xattrs", "--xattrs-include=*", "-xf", archive],
    directory,
  );
}

function makeRoot(archive: string): void {
  const suite = /^VERSION_CODENAME=(\S+)$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  if (suite === undefined) throw new Error("this test needs a Debian system");
  mkdirSync(kept, { recursive: true });
  const staging = mkdtempSync(join(kept, "root-"));
  try {
    const root = join(staging, "root");
    // Its mounts, of /proc and /sys, stay in a namespace of its own and are gone with it.
    const alone = ["--mount", "--propagation", "private", "debootstrap", "--variant=minbase", suite, root];
    must("a root file system of Debian is needed for this test", "unshare", alone);
    rmSync(join(root, "var/cache/apt/archives"), { recursive: true, force: true });
    const options = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--format=posix"];
    must("the root cannot be kept", "tar", [...options, "-cf", join(staging, "root.tar"), "-C", root, "."]);
    renameSync(join(staging, "root.tar"), archive);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}
