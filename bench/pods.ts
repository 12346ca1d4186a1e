/** Starting and keeping pods: the whole command, the shim alone, and what a running pod costs in memory. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { arity } from "../src/shim/plan-arity.ts";
import { listing } from "./listing.ts";
import { alternate, type Command, isInstalled } from "./measure.ts";
import { type Context, type Row, timingRow } from "./rows.ts";
import { throughput } from "./throughput.ts";

export async function pods(context: Context): Promise<readonly Row[]> {
  const { program, work, project } = context;
  const rootfs = makeRootfs(work, join(project, "native", "build", "guest"));
  const image = join(work, "pods.aci");
  const data = join(work, "pods-data");
  const manifest = join(work, "pods-manifest.json");
  writeFileSync(manifest, JSON.stringify(imageManifest));
  const flags = ["--dir", data, "--insecure-options=image"];
  must([program, "build", "--overwrite", "--manifest", manifest, "--rootfs", rootfs, image]);
  must([program, ...flags, "fetch", image]);
  const run = [program, ...flags, "run", "--net=none", imageManifest.name];
  const rows = [
    ...runRows(context, run, rootfs),
    ...shimRows(context, data, rootfs),
    ...(await memoryRows(run, data)),
    ...listing(context, data),
    ...(await throughput(context, data, imageManifest.name, () => runcBundle(work, rootfs))),
  ];
  must([program, ...flags, "gc", "--grace-period=0s"]);
  return rows;
}

const imageManifest = {
  acKind: "ImageManifest",
  acVersion: "0.8.11",
  name: "example.com/exit",
  labels: [
    { name: "os", value: "linux" },
    { name: "arch", value: process.arch === "arm64" ? "aarch64" : "amd64" },
  ],
  app: { exec: ["/guest", "exit", "0"], user: "0", group: "0" },
};

function makeRootfs(work: string, guest: string): string {
  const rootfs = join(work, "pods-rootfs");
  mkdirSync(rootfs, { recursive: true });
  copyFileSync(guest, join(rootfs, "guest"));
  return rootfs;
}

function runRows(context: Context, run: readonly string[], rootfs: string): readonly Row[] {
  const node: Command = { name: "node -e 0", argv: [process.execPath, "-e", "0"] };
  const podman = podmanRun(context, rootfs);
  const timings = alternate([{ name: "perigee", argv: run }, node, ...(podman === undefined ? [] : [podman])], 21);
  return [
    timingRow(
      "perigee run of a stored image, the app exits at once",
      timings,
      [
        { factor: 2.0, of: "node -e 0" },
        { factor: 0.45, of: "podman run" },
      ],
      podman === undefined ? ["podman is not installed or does not run here"] : [],
    ),
  ];
}

/** podman asks for limits that not every root may set; with the caller's own it starts everywhere. */
function podmanRun({ work }: Context, rootfs: string): Command | undefined {
  if (!isInstalled("podman")) return undefined;
  const base = ["podman", "--root", join(work, "podman"), "--runroot", join(work, "podman-run")];
  const imported = spawnSync("sh", ["-c", `tar -C "$1" -c . | ${base.join(" ")} import - bench:1`, "sh", rootfs]);
  if (imported.status !== 0) return undefined;
  const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
  const argv = [...base, "run", "--rm", "--network=none", ...limits, "bench:1", "/guest", "exit", "0"];
  const [command = "", ...args] = argv;
  return spawnSync(command, args).status === 0 ? { name: "podman run", argv } : undefined;
}

/**
 * The plan is that of a pod of the row before, without its cgroups: the bare program has none either, and those of that pod are
 * gone. Every program is started by one that spawns and waits, so that nothing but the start is timed.
 */
function shimRows(context: Context, data: string, rootfs: string): readonly Row[] {
  const { project, work } = context;
  const native = join(project, "native", "build");
  const pod = exitedPod(data);
  writeFileSync(join(pod, "bench-plan"), withoutCgroups(readFileSync(join(pod, "plan"))));
  const bare = bareDirectories(work, rootfs);
  const programs: [string, readonly string[]][] = [
    ["perigee-shim", [join(native, "perigee-shim"), "run", "20", "21", "22"]],
    ["bare clone and mounts", [join(native, "bare"), "--user", "--time", ...bare, "/guest", "exit", "0"]],
  ];
  const missing: string[] = [];
  if (isInstalled("runc")) programs.push(["runc run", runcRun(work, rootfs)]);
  else missing.push("runc is not installed");
  if (isInstalled("bwrap")) programs.push(["bwrap", bwrapRun(rootfs)]);
  else missing.push("bwrap is not installed");
  const rounds = "41";
  // A volatile overlay marks its work directory, and is not mounted on a marked one.
  const { idBase } = JSON.parse(readFileSync(join(pod, "record"), "utf8"));
  const renew = (path: string, id: number) => `rm -rf ${path} && mkdir -m 700 ${path} && chown ${id}:${id} ${path}`;
  // As a pod finds it: a file that replaces another by rename is written to the disk at once by ext4, and no pod replaces one.
  const before = `rm -rf ${pod}/pid ${pod}/pids ${pod}/status/* && ${renew(join(pod, "apps/exit/work"), idBase)} && ${renew(bare[2] ?? "", 900_000_000)}`;
  const line = [join(native, "stopwatch"), rounds, before, ...programs.flatMap(([, argv]) => ["--", ...argv])];
  const result = spawnSync(
    "bash",
    ["-c", 'cd "$1" && shift && exec 20<bench-plan 21>>events 22<. && exec "$@"', "bash", pod, ...line],
    { encoding: "utf8" },
  );
  if (result.status !== 0) throw new Error(result.stderr);
  const medians = [...result.stdout.matchAll(/^\S.*?median\s+(\d+(?:\.\d+)?)/gm)].map(
    (match) => Number(match[1]) / 1000,
  );
  return [
    {
      what: "the shim alone: plan → app exit",
      figures: programs.map(([name], index) => ({ name, value: medians[index] ?? Number.NaN })),
      unit: "ms",
      bars: [
        { factor: 2.5, of: "bare clone and mounts" },
        { factor: 0.5, of: "runc run" },
      ],
      missing,
    },
  ];
}

function exitedPod(data: string): string {
  const [uuid = ""] = readdirSync(join(data, "pods", "run"));
  return join(data, "pods", "run", uuid);
}

function withoutCgroups(plan: Buffer): Buffer {
  const fields = plan.toString("latin1").split("\0");
  const kept: string[] = [];
  for (let index = 0; index < fields.length - 1; ) {
    const keyword = fields[index] ?? "";
    const count = (arity as Readonly<Record<string, { readonly fields: number }>>)[keyword]?.fields ?? 0;
    const record = fields.slice(index, index + 1 + count);
    index += 1 + count;
    if (!keyword.includes("cgroup") && !record.some((field) => /^\/sys\/fs\/cgroup/.test(field))) kept.push(...record);
  }
  return Buffer.from(kept.map((field) => `${field}\0`).join(""), "latin1");
}

/** What bench/bare.c wants: a lower directory with proc and dev, an upper and a work directory of the mapped root. */
function bareDirectories(work: string, rootfs: string): readonly string[] {
  const directories = ["lower", "upper", "work"].map((name) => join(work, `bare-${name}`));
  const [lower = "", ...own] = directories;
  cpSync(rootfs, lower, { recursive: true });
  for (const name of ["proc", "dev"]) mkdirSync(join(lower, name));
  for (const path of own) {
    mkdirSync(path);
    chownSync(path, 900_000_000, 900_000_000);
  }
  return directories;
}

function bwrapRun(rootfs: string): readonly string[] {
  return [
    "/usr/bin/bwrap",
    "--unshare-all",
    "--bind",
    rootfs,
    "/",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "/guest",
    "exit",
    "0",
  ];
}

function runcRun(work: string, rootfs: string): readonly string[] {
  const runc = spawnSync("sh", ["-c", "command -v runc"], { encoding: "utf8" }).stdout.trim();
  return [runc, "--root", join(work, "runc-state"), "run", "--bundle", runcBundle(work, rootfs), "bench"];
}

function runcBundle(work: string, rootfs: string): string {
  const bundle = join(work, "runc-bundle");
  rmSync(bundle, { recursive: true, force: true });
  mkdirSync(bundle);
  spawnSync("runc", ["spec"], { cwd: bundle });
  const config = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8"));
  config.process.terminal = false;
  config.process.args = ["/guest", "exit", "0"];
  config.process.rlimits = [];
  config.root.path = rootfs;
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
  return bundle;
}

/** PSS of every process of the pod but the app's own, while the app sleeps. */
async function memoryRows(run: readonly string[], data: string): Promise<readonly Row[]> {
  const [command = "", ...args] = run;
  const child = spawn(command, [...args, "--exec", "/guest", "--", "sleep", "60"], { stdio: "ignore" });
  try {
    const pids = await podProcesses(child, data);
    const node = pids.filter((pid) => readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "node");
    const own = pids.filter((pid) => readFileSync(`/proc/${pid}/comm`, "utf8").trim() !== "guest");
    const pss = own.map((pid) =>
      Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? Number.NaN),
    );
    return [
      {
        what: `memory of a running pod outside of the app (${own.length} processes, ${node.length} of them Node)`,
        figures: [{ name: "supervisor + init, PSS", value: pss.reduce((a, b) => a + b, 0) / 1024 }],
        unit: "MiB",
        bars: [{ limit: 2 }],
        missing: [],
      },
    ];
  } finally {
    child.kill("SIGTERM");
    await new Promise((resolve) => child.once("exit", resolve));
  }
}

/** The command, which became the supervisor, and its descendants, once the app runs. */
async function podProcesses(child: ChildProcess, data: string): Promise<readonly number[]> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const pids = child.pid === undefined ? [] : descendants(child.pid);
    if (pids.some((pid) => readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "guest")) return pids;
    await sleep(25);
  }
  throw new Error(`the pod did not start: ${readdirSync(join(data, "pods", "run")).join(" ")}`);
}

function descendants(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .trim()
    .split(" ")
    .filter(Boolean)
    .map(Number);
  return [pid, ...children.flatMap(descendants)];
}

function must(argv: readonly string[]): void {
  const [command = "", ...args] = argv;
  const result = spawnSync(command, args, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`${argv.join(" ")}: exit ${result.status}\n${result.stderr}`);
}
