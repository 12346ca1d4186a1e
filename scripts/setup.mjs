// Makes a checkout ready: npm packages and the few Debian packages. Plain JavaScript on Node's built-ins, because it runs before npm ci.
//   node scripts/setup.mjs [--for build|test|quickstart|bench]
// Fast when nothing is to do, safe when run twice or twice at the same time.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const oldestNode = [20, 19];

/** Debian package → how to see that what it brings is there. */
const probes = {
  gcc: () => hasProgram("gcc"),
  "libc6-dev": () => existsSync("/usr/include/stdio.h") && hasStaticLibc(),
  make: () => hasProgram("make"),
  "busybox-static": () => hasStaticBusybox(),
  "util-linux": () => hasProgram("unshare"),
  iproute2: () => hasProgram("ip"),
  "containernetworking-plugins": () => existsSync("/usr/lib/cni/bridge"),
  iptables: () => hasProgram("iptables"),
  nftables: () => hasProgram("nft"),
  curl: () => hasProgram("curl"),
  wget: () => hasProgram("wget"),
  nginx: () => hasProgram("nginx"),
  chromium: () => hasProgram("chromium"),
  "libnss3-tools": () => hasProgram("certutil"),
  openssl: () => hasProgram("openssl"),
  gnupg: () => hasProgram("gpg"),
  gpgv: () => hasProgram("gpgv"),
  "appc-spec": () => hasProgram("actool"),
  "libcap2-bin": () => hasProgram("setcap"),
  attr: () => hasProgram("setfattr"),
  acl: () => hasProgram("setfacl"),
  rpm: () => hasProgram("rpmbuild"),
  "db5.3-util": () => hasProgram("db5.3_load"),
  sqlite3: () => hasProgram("sqlite3"),
  bzip2: () => hasProgram("bzip2"),
  "xz-utils": () => hasProgram("xz"),
  zstd: () => hasProgram("zstd"),
  debootstrap: () => hasProgram("debootstrap"),
  strace: () => hasProgram("strace"),
  podman: () => hasProgram("podman"),
  buildah: () => hasProgram("buildah"),
  skopeo: () => hasProgram("skopeo"),
  umoci: () => hasProgram("umoci"),
  "docker-registry": () => hasProgram("docker-registry"),
  runc: () => hasProgram("runc"),
  bubblewrap: () => hasProgram("bwrap"),
  hyperfine: () => hasProgram("hyperfine"),
  "qemu-system-x86": () => hasProgram("qemu-system-x86_64"),
  e2fsprogs: () => hasProgram("mke2fs") && hasProgram("mkfs.ext4"),
  python3: () => hasProgram("python3"),
  uidmap: () => hasProgram("newuidmap") && hasProgram("newgidmap"),
};

const forBuild = ["gcc", "libc6-dev", "make"];
const forQuickstart = [...forBuild, "busybox-static", "util-linux"];
const forTests = [
  ...forQuickstart,
  "iproute2",
  "containernetworking-plugins",
  "iptables",
  "nftables",
  "curl",
  "wget",
  "nginx",
  "chromium",
  "libnss3-tools",
  "openssl",
  "gnupg",
  "gpgv",
  "appc-spec",
  "libcap2-bin",
  "attr",
  "acl",
  "rpm",
  "db5.3-util",
  "sqlite3",
  "bzip2",
  "xz-utils",
  "zstd",
  "debootstrap",
  "strace",
  "podman",
  "buildah",
  "skopeo",
  "umoci",
  "docker-registry",
  "e2fsprogs",
  "python3",
  "uidmap",
];
const forBench = [...forQuickstart, "gnupg", "gpgv", "appc-spec", "podman", "runc", "bubblewrap", "hyperfine"];
const forV2 = [...forQuickstart, "qemu-system-x86", "e2fsprogs"];
const purposes = { build: forBuild, quickstart: forQuickstart, test: forTests, bench: forBench, v2: forV2 };

function hasProgram(name) {
  const directories = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
  return directories.some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function hasStaticLibc() {
  const places = ["/usr/lib", ...directoriesBelow("/usr/lib")];
  return places.some((place) => existsSync(join(place, "libc.a")));
}

/** Debian's other busybox needs libraries, which an image of one program has not. The loader's name stands near the start of a file. */
function hasStaticBusybox() {
  const path = ["/bin/busybox", "/usr/bin/busybox"].find(existsSync);
  return path !== undefined && !readFileSync(path).subarray(0, 4096).includes("/ld-linux");
}

function directoriesBelow(path) {
  const entries = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return entries.map((entry) => join(path, entry.name));
}

function isNodeOld() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1]);
}

/** npm writes this file last, so it is newer than the lockfile when the packages are those of the lockfile. */
function arePackagesStale() {
  const installed = join(root, "node_modules/.package-lock.json");
  return !existsSync(installed) || statSync(installed).mtimeMs < statSync(join(root, "package-lock.json")).mtimeMs;
}

function run(program, args, options = {}) {
  // Standard output stays free for what the caller prints.
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: ["ignore", 2, 2], ...options });
  if (error !== undefined || status !== 0) {
    throw new Error(`${program} ${args.join(" ")} failed${error === undefined ? "" : `: ${error.message}`}`);
  }
}

function installDebianPackages(names) {
  const command = `apt-get install -y --no-install-recommends ${names.join(" ")}`;
  if (!hasProgram("apt-get"))
    throw new Error(`these Debian packages, or what they bring, are needed: ${names.join(" ")}`);
  if (process.getuid() !== 0) throw new Error(`some Debian packages are needed. Run: sudo ${command}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // Another setup may hold apt's lock just now, and a mirror may break off.
  const wait = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=5", "-qq"];
  run("apt-get", [...wait, "update"], { env });
  run("apt-get", [...wait, "install", "-y", "--no-install-recommends", ...names], { env });
}

/** npm ci removes node_modules first; two at the same time would remove each other's, so the second waits and looks again. */
function installNpmPackages() {
  mkdirSync(join(root, "build"), { recursive: true });
  const again = [
    "--exclusive",
    join(root, "build/setup.lock"),
    process.execPath,
    fileURLToPath(import.meta.url),
    "--npm",
  ];
  run(hasProgram("flock") ? "flock" : process.execPath, hasProgram("flock") ? again : again.slice(-2));
}

/** @param purpose build, test, quickstart or bench */
export function setup(purpose) {
  if (isNodeOld()) throw new Error(`Node ${oldestNode.join(".")} or newer is needed; this is ${process.versions.node}`);
  const missing = (purposes[purpose] ?? forBuild).filter((name) => !probes[name]());
  if (missing.length > 0) installDebianPackages(missing);
  if (arePackagesStale()) installNpmPackages();
}

/** Runs a script's work; what it throws is one line for people. */
export async function inWords(work) {
  try {
    await work();
  } catch (error) {
    process.stderr.write(`perigee: ${error.message}\n`);
    process.exitCode = 1;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await inWords(() => {
    if (process.argv[2] === "--npm") {
      if (arePackagesStale()) run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
      return;
    }
    const at = process.argv.indexOf("--for");
    const purpose = at < 0 ? "build" : (process.argv[at + 1] ?? "");
    if (!(purpose in purposes)) throw new Error(`--for takes one of ${Object.keys(purposes).join(", ")}`);
    setup(purpose);
  });
}
