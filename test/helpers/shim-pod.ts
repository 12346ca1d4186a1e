/** Pods for tests of the shim: a root file system with the guest, a pod directory, and the shim as a process of its own. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { chmod, chown, copyFile, mkdir, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Readable, Writable } from "node:stream";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { type AppPlan, encodePlan, type NamespaceKind, type Plan } from "../../src/shim/plan.ts";

/** The repository, from build/test/helpers as well as from test/helpers. */
export const repository = ((): string => {
  const here = dirname(fileURLToPath(import.meta.url));
  return here.includes(`${"/build/"}test/`) ? join(here, "../../..") : join(here, "../..");
})();
export const shim = resolve(process.env["PERIGEE_SHIM"] ?? join(repository, "native/build/perigee-shim"));
export const guest = join(repository, "native/build/guest");

/** The host's ids that the pods of tests are mapped to. */
export const mappedRoot = 900_000_000;
export const allNamespaces: readonly NamespaceKind[] = ["user", "mount", "pid", "net", "ipc", "uts", "cgroup", "time"];

export interface Scratch {
  readonly directory: string;
  /** A tree with the guest as /guest. */
  readonly rootfs: string;
  remove(): Promise<void>;
}

export async function makeScratch(): Promise<Scratch> {
  const directory = await mkdtemp(join(tmpdir(), `perigee-shim-test-${process.pid}-`));
  await chmod(directory, 0o755);
  const rootfs = join(directory, "rootfs");
  await mkdir(rootfs);
  await copyFile(guest, join(rootfs, "guest"));
  await chmod(join(rootfs, "guest"), 0o755);
  return { directory, rootfs, remove: () => rm(directory, { recursive: true, force: true }) };
}

/** A scratch for the tests of one file, made before them and removed behind them. */
export function fileScratch(): Scratch {
  let made: Scratch | undefined;
  before(async () => {
    made = await makeScratch();
  });
  after(() => made?.remove());
  const own = (): Scratch => {
    assert.ok(made !== undefined, "a scratch is there when tests run");
    return made;
  };
  return {
    get directory() {
      return own().directory;
    },
    get rootfs() {
      return own().rootfs;
    },
    remove: () => own().remove(),
  };
}

/** A pod with everything that a usual plan has, and one app that runs the guest with `command`. */
export interface PodOptions {
  readonly command?: readonly string[];
  readonly app?: Partial<AppPlan>;
  readonly apps?: readonly AppPlan[];
  readonly plan?: Partial<Plan>;
  /** false: in the host's user namespace. */
  readonly user?: boolean;
}

export interface PodDirectory {
  readonly path: string;
  readonly plan: Plan;
}

let pods = 0;

/** Makes the pod directory, with upper and work directories that belong to the pod's root, and the plan. */
export async function makePod(scratch: Scratch, options: PodOptions = {}): Promise<PodDirectory> {
  const path = join(scratch.directory, `pod-${++pods}`);
  const user = options.user ?? true;
  const apps = options.apps ?? [
    makeApp(scratch, { ...options.app, ...(options.command && { command: options.command }) }),
  ];
  await mkdir(path, { mode: 0o700 });
  for (const app of apps) {
    for (const name of ["upper", "work"]) {
      const directory = join(path, app.name, name);
      await mkdir(directory, { recursive: true });
      if (user) await chown(directory, mappedRoot, mappedRoot);
    }
  }
  const ids = user ? [{ inside: 0, outside: mappedRoot, count: 65536 }] : [];
  const plan: Plan = {
    uuid: "4ac5a9ec-0000-4000-8000-000000000000",
    hostname: "pod",
    namespaces: user ? allNamespaces : allNamespaces.filter((kind) => kind !== "user"),
    uidMaps: ids,
    gidMaps: ids,
    cgroups: [],
    removeCgroups: [],
    sysctls: [],
    loopback: true,
    foreground: true,
    teardowns: [],
    ...options.plan,
    apps: user ? apps : apps.map(withoutIdmap),
  };
  return { path, plan };
}

function withoutIdmap(app: AppPlan): AppPlan {
  return { ...app, root: { ...app.root, idmap: false } };
}

const standardDevices = [
  ["null", 1, 3],
  ["zero", 1, 5],
  ["full", 1, 7],
  ["random", 1, 8],
  ["urandom", 1, 9],
  ["tty", 5, 0],
] as const;

export function makeApp(scratch: Scratch, options: Partial<AppPlan> = {}): AppPlan {
  const name = options.name ?? "main";
  return {
    name,
    root: {
      kind: "overlay",
      lowers: [scratch.rootfs],
      upper: `${name}/upper`,
      work: `${name}/work`,
      idmap: true,
      volatile: true,
    },
    readonlyRoot: false,
    mounts: [
      { source: "proc", target: "/proc", type: "proc", flags: ["nosuid", "nodev", "noexec"], data: "" },
      { source: "sysfs", target: "/sys", type: "sysfs", flags: ["ro", "nosuid", "nodev", "noexec"], data: "" },
      {
        source: "devpts",
        target: "/dev/pts",
        type: "devpts",
        flags: ["nosuid", "noexec"],
        data: "newinstance,ptmxmode=0666,mode=0620,gid=5",
      },
      {
        source: "shm",
        target: "/dev/shm",
        type: "tmpfs",
        flags: ["nosuid", "nodev", "noexec"],
        data: "mode=1777,size=65536k",
      },
      { source: "mqueue", target: "/dev/mqueue", type: "mqueue", flags: ["nosuid", "nodev", "noexec"], data: "" },
    ],
    devices: standardDevices.map(([device, major, minor]) => ({ name: device, major, minor })),
    symlinks: [
      { target: "pts/ptmx", path: "/dev/ptmx" },
      { target: "/proc/self/fd", path: "/dev/fd" },
      { target: "/proc/self/fd/1", path: "/dev/stdout" },
    ],
    masks: [],
    readonlyPaths: [],
    cgroups: [],
    cwd: "/",
    uid: 0,
    gid: 0,
    groups: [],
    environment: [["PATH", "/bin:/"]],
    command: ["/guest", "exit", "0"],
    preStart: [],
    postStop: [],
    handlerSeconds: 90,
    capabilities: ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SETUID", "CAP_SETGID"],
    rlimits: [],
    umask: 0o022,
    noNewPrivileges: true,
    terminal: false,
    ...options,
  };
}

export interface RunningShim {
  readonly child: ChildProcess;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly ended: Promise<Ended>;
  /** The next event of this kind; events that came before are remembered. */
  event(kind: string): Promise<ShimLine>;
  /** When the app's output matches. */
  output(text: string | RegExp): Promise<void>;
}

export type ShimLine = Readonly<Record<string, string | number>>;

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly events: readonly ShimLine[];
}

export interface StartOptions {
  readonly arguments?: readonly string[];
  /** Instead of the shim that is tested. */
  readonly program?: string;
  /** Instead of all arguments. */
  readonly instead?: readonly string[];
  /** Instead of the encoded plan. */
  readonly bytes?: Buffer;
  /** Further descriptors that the shim finds open, from number 6 on. */
  readonly extra?: readonly number[];
  /** Instead of a pipe. */
  readonly stdin?: number;
  /** Instead of a pipe, whose output is then not watched. */
  readonly stdout?: number;
}

/** Starts the shim; PLAN, EVENTS and POD are its descriptors 3, 4 and 5. */
export async function startPod(pod: PodDirectory, options: StartOptions = {}): Promise<RunningShim> {
  const planFile = join(pod.path, "plan");
  const handle = await open(planFile, "w", 0o600);
  await handle.writeFile(options.bytes ?? encodePlan(pod.plan));
  await handle.close();
  const plan = openSync(planFile, constants.O_RDONLY);
  const directory = openSync(pod.path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return watch(
      spawn(options.program ?? shim, options.instead ?? ["run", "3", "4", "5", ...(options.arguments ?? [])], {
        env: {},
        stdio: [
          options.stdin ?? "pipe",
          options.stdout ?? "pipe",
          "pipe",
          plan,
          "pipe",
          directory,
          ...(options.extra ?? []),
        ],
      }),
    );
  } finally {
    closeSync(plan);
    closeSync(directory);
  }
}

function watch(child: ChildProcess): RunningShim {
  const lines: ShimLine[] = [];
  const waiters = new Set<() => void>();
  const wake = (): void => {
    for (const waiter of waiters) waiter();
  };
  const texts = { stdout: "", stderr: "" };
  const { stdin, stdout, stderr } = child;
  assert(stderr);
  stdout?.on("data", (bytes: Buffer) => {
    texts.stdout += bytes.toString("latin1");
    wake();
  });
  stderr.on("data", (bytes: Buffer) => {
    texts.stderr += bytes.toString("latin1");
    wake();
  });
  let partial = "";
  const events = child.stdio[4] as Readable;
  events.on("data", (bytes: Buffer) => {
    partial += bytes.toString("latin1");
    const complete = partial.split("\n");
    partial = complete.pop() ?? "";
    for (const line of complete) lines.push(JSON.parse(line) as ShimLine);
    wake();
  });
  let hasEnded = false;
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      hasEnded = true;
      resolve({ status, ...texts, events: lines });
      wake();
    });
  });
  /** The first value that `look` gives, asked again whenever something came. */
  const until = <T>(what: string, look: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const again = (): void => {
        const found = look();
        if (found === undefined && !hasEnded) return;
        waiters.delete(again);
        if (found !== undefined) resolve(found);
        else
          reject(new Error(`the shim ended without ${what}: ${JSON.stringify(lines)} ${texts.stdout} ${texts.stderr}`));
      };
      waiters.add(again);
      again();
    });
  const event = (kind: string): Promise<ShimLine> => until(kind, () => lines.find((line) => line["event"] === kind));
  const output = async (text: string | RegExp): Promise<void> => {
    await until(String(text), () => texts.stdout.match(text) ?? undefined);
  };
  return { child, stdin: stdin as Writable, stdout: stdout as Readable, stderr, ended, event, output };
}

/** Starts a pod and waits for its end. */
export async function runPod(
  scratch: Scratch,
  options: PodOptions & StartOptions = {},
): Promise<Ended & { readonly pod: PodDirectory }> {
  const pod = await makePod(scratch, options);
  const running = await startPod(pod, options);
  running.stdin?.end();
  return { ...(await running.ended), pod };
}

/** The exit status that the shim recorded for an app. */
export async function recordedStatus(pod: PodDirectory, app = "main"): Promise<string> {
  return (await readFile(join(pod.path, "status", app), "utf8")).trim();
}

/** Values of the guest's `key=value` lines, in order. */
export function valuesOf(text: string, key: string): readonly string[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${key}=`))
    .map((line) => line.slice(key.length + 1));
}
