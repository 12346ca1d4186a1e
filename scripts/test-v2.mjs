// npm run test:v2: boots Debian's kernel with cgroup v2 alone under QEMU and runs end-to-end tests in it, whatever this machine's hierarchy is.
//   node scripts/test-v2.mjs [test/e2e/file.test.ts]…
// The machine is made of what lies here: busybox, this Node with its libraries, the built checkout. Nothing of it touches a network.
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { inWords, setup } from "./setup.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const work = join(root, "build/v2");
const tree = join(work, "root");
const usual = ["limits", "isolation", "apparmor", "life"].map((name) => `test/e2e/${name}.test.ts`);
/** Programs of this system that the tests call and busybox has not, or not whole. */
const programs = ["bash", "setpriv", "prlimit", "nsenter", "unshare", "script"].map((name) => `/usr/bin/${name}`);
/** Emulated, each program takes twenty to fifty times its time. */
const longestMs = 60 * 60 * 1000;
const endOfTests = /^perigee: tests ended with (\d+)/m;
/** What of the checkout the tests read. */
const parts = [
  "package.json",
  "build/src",
  "build/test",
  "dist",
  "native/build",
  "native/Makefile",
  "spec",
  "node_modules",
];
const busyboxNames =
  "sh mount umount mkdir cat ls insmod poweroff sync ip hostname sleep true false id env stat cp rm mv ln chmod chown grep sed head tail printf test kill ps tar touch readlink dd mknod mkfifo tr wc cut sort find";

function must(program, args, options = {}) {
  const { status, stdout, error } = spawnSync(program, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", 2],
    ...options,
  });
  if (error !== undefined || status !== 0) throw new Error(`${program} ${args.join(" ")} failed`);
  return stdout ?? "";
}

/** Debian's kernel for virtual machines: downloaded, unpacked, never installed. */
function kernel() {
  const name = /linux-image-\S+/.exec(
    must("apt-cache", ["depends", "linux-image-cloud-amd64"]).split("\n")[1] ?? "",
  )?.[0];
  if (name === undefined) throw new Error("apt knows no linux-image-cloud-amd64");
  const place = join(work, name);
  const release = name.slice("linux-image-".length);
  const image = join(place, "boot", `vmlinuz-${release}`);
  if (!existsSync(image)) {
    const download = join(work, "download");
    mkdirSync(download, { recursive: true });
    // apt's own user could not write into the checkout.
    must("apt-get", ["-qq", "-o", "APT::Sandbox::User=root", "download", name], { cwd: download });
    const [archive] = readdirSync(download);
    must("dpkg-deb", ["-x", join(download, archive ?? ""), place]);
    rmSync(download, { recursive: true });
  }
  return { image, modules: join(place, "lib/modules", release, "kernel") };
}

function copyInto(path, from) {
  mkdirSync(join(tree, dirname(path)), { recursive: true });
  copyFileSync(from, join(tree, path));
}

/** A program and the libraries that its loader names. */
function copyProgram(path) {
  copyInto(`usr/bin/${basename(path)}`, path);
  for (const [, library] of must("ldd", [path]).matchAll(/(\/\S+) \(0x/g)) copyInto(library, library);
}

function makeTree(modules, files) {
  rmSync(tree, { recursive: true, force: true });
  for (const name of ["proc", "sys", "dev", "run", "tmp", "work", "etc", "root", "usr/bin"])
    mkdirSync(join(tree, name), { recursive: true });
  symlinkSync("usr/bin", join(tree, "bin"));
  symlinkSync("usr/bin", join(tree, "sbin"));
  copyInto("usr/bin/busybox", existsSync("/bin/busybox") ? "/bin/busybox" : "/usr/bin/busybox");
  for (const name of busyboxNames.split(" ")) symlinkSync("busybox", join(tree, "usr/bin", name));
  for (const program of [process.execPath, ...programs]) copyProgram(program);
  copyInto("modules/overlay.ko", join(modules, "fs/overlayfs/overlay.ko"));
  for (const part of parts)
    cpSync(join(root, part), join(tree, "perigee", part), { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(tree, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n");
  writeFileSync(join(tree, "etc/group"), "root:x:0:\nnogroup:x:65534:\n");
  writeFileSync(join(tree, "init"), initScript(files));
  chmodSync(join(tree, "init"), 0o755);
}

/** Process 1 of the machine: a system's own mounts, the tests, and off. */
function initScript(files) {
  const compiled = files.map((file) => join("build", relative(root, file).replace(/\.ts$/, ".js")));
  return `#!/bin/sh
export PATH=/usr/bin HOME=/root TMPDIR=/work CI=true TERM=dumb
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo '+memory +cpu +pids +io' >/sys/fs/cgroup/cgroup.subtree_control
insmod /modules/overlay.ko
ip link set lo up
cd /perigee
cat /proc/version; cat /sys/fs/cgroup/cgroup.controllers
node --test --test-concurrency=1 --test-reporter=spec ${compiled.join(" ")} </dev/null
echo "perigee: tests ended with $?"
sync
poweroff -f
`;
}

/** Boots the machine and shows its console; the tests' status, or undefined where the machine stopped before. */
function boot(image, disk) {
  const line = "console=ttyS0 quiet panic=-1 reboot=t root=/dev/nvme0n1 rw init=/init";
  const machine = [
    "-machine",
    "q35",
    "-accel",
    "tcg,thread=multi",
    "-cpu",
    "max",
    "-smp",
    "2",
    "-m",
    "3G",
    "-nographic",
    "-nodefaults",
    "-no-reboot",
  ];
  const drive = [
    "-drive",
    `file=${disk},format=raw,if=none,id=disk,snapshot=on`,
    "-device",
    "nvme,drive=disk,serial=perigee",
  ];
  const child = spawn(
    "qemu-system-x86_64",
    [...machine, "-serial", "stdio", "-kernel", image, "-append", line, ...drive],
    {
      stdio: ["ignore", "pipe", "inherit"],
      timeout: longestMs,
    },
  );
  let console = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text) => {
    console += text;
    process.stdout.write(text);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve(endOfTests.exec(console)?.[1]));
  });
}

await inWords(async () => {
  setup("v2");
  const { build } = await import("./build.mjs");
  await build({ tests: true });
  mkdirSync(work, { recursive: true });
  const { image, modules } = kernel();
  const names = process.argv.slice(2);
  makeTree(modules, names.length === 0 ? usual : names);
  const disk = join(work, "disk.img");
  rmSync(disk, { force: true });
  must("mke2fs", ["-q", "-t", "ext4", "-d", tree, disk, "3G"]);
  rmSync(tree, { recursive: true });
  const status = await boot(image, disk);
  rmSync(disk);
  if (status === undefined) throw new Error("the machine stopped before its tests had ended");
  process.exitCode = Number(status);
});
