/** The built program as a person uses it, with directories of its own: nothing of the machine's is read or changed. */
import { type ChildProcess, type StdioOptions, spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const project = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
export const program = join(project, "dist", "perigee");
export const guest = join(project, "native", "build", "guest");

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly encoding?: "utf8" | "latin1" | undefined;
}

/** A temporary home: data, configuration and keys below one directory. */
export class Workspace {
  readonly directory = mkdtempSync(join(tmpdir(), `perigee-e2e-${process.pid}-`));
  readonly #started: ChildProcess[] = [];

  get data(): string {
    return join(this.directory, "data");
  }

  get env(): Record<string, string> {
    const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
    return {
      ...(inherited as Record<string, string>),
      HOME: this.directory,
      XDG_CONFIG_HOME: join(this.directory, "config"),
      XDG_DATA_HOME: join(this.directory, "share"),
      GNUPGHOME: join(this.directory, "gnupg"),
      NO_COLOR: "1",
    };
  }

  get globals(): readonly string[] {
    return [
      "--dir",
      this.data,
      "--local-config",
      join(this.directory, "etc"),
      "--system-config",
      join(this.directory, "usr-lib"),
    ];
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }

  /** Runs `perigee ARGS…` to its end. */
  perigee(args: readonly string[], options: RunOptions = {}): Outcome {
    return this.command([program, ...this.globals, ...args], options);
  }

  command(argv: readonly string[], options: RunOptions = {}): Outcome {
    const [command = "", ...args] = argv;
    const result = spawnSync(command, args, {
      encoding: options.encoding ?? "utf8",
      input: options.input ?? "",
      env: { ...this.env, ...options.env },
      cwd: options.cwd ?? this.directory,
      timeout: options.timeoutMs ?? 120_000,
      maxBuffer: 256 * 1024 * 1024,
    });
    return { status: result.status ?? -1, stdout: result.stdout, stderr: result.stderr };
  }

  /** As perigee, and throws with everything printed when it failed. Returns standard output. */
  must(args: readonly string[], options: RunOptions = {}): string {
    const { status, stdout, stderr } = this.perigee(args, options);
    if (status !== 0) throw new Error(`perigee ${args.join(" ")}: status ${status}\n${stdout}${stderr}`);
    return stdout;
  }

  /** `perigee run ARGS…` of images that nobody signed, to its end. */
  run(args: readonly string[], options: RunOptions & { readonly insecure?: readonly string[] } = {}): Outcome {
    return this.command(this.runLine(args, options.insecure), options);
  }

  /** The whole line of such a run. */
  runLine(args: readonly string[], insecure: readonly string[] = []): readonly string[] {
    return [program, ...this.globals, insecureOptions(insecure), "run", ...args];
  }

  /** Starts `perigee ARGS…`; ended by `close`, if not before. */
  start(args: readonly string[], stdio: StdioOptions = "pipe"): ChildProcess {
    return this.startCommand([program, ...this.globals, ...args], stdio);
  }

  /** As `run`, beside the test. */
  startRun(args: readonly string[], around: readonly string[] = []): Running {
    return new Running(this.startCommand([...around, ...this.runLine(args)], "pipe"));
  }

  startCommand(argv: readonly string[], stdio: StdioOptions): ChildProcess {
    const [command = "", ...args] = argv;
    const child = spawn(command, args, { env: this.env, cwd: this.directory, stdio });
    this.#started.push(child);
    return child;
  }

  /** A rootfs that holds the guest program, and what else is named (path → content). */
  rootfs(name: string, files: Readonly<Record<string, string>> = {}): string {
    const rootfs = this.path(name);
    rmSync(rootfs, { recursive: true, force: true });
    mkdirSync(rootfs, { recursive: true });
    copyFileSync(guest, join(rootfs, "guest"));
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(rootfs, path)), { recursive: true });
      writeFileSync(join(rootfs, path), content);
    }
    return rootfs;
  }

  /** Builds an image of the guest program; `alter` does to its rootfs what cannot be said by files. Returns the path of the .aci. */
  image(
    name: string,
    app: Readonly<Record<string, unknown>> = {},
    files: Readonly<Record<string, string>> = {},
    alter: (rootfs: string) => void = () => {},
  ): string {
    const word = name.replaceAll("/", "-");
    const manifest = this.path(`${word}.json`);
    writeFileSync(manifest, JSON.stringify(imageManifest(name, app)));
    const output = this.path(`${word}.aci`);
    const rootfs = this.rootfs(`${word}-rootfs`, files);
    alter(rootfs);
    this.must(["build", "--overwrite", "--manifest", manifest, "--rootfs", rootfs, output]);
    return output;
  }

  /** The image in the store, unsigned; returns its name. */
  stored(...image: Parameters<Workspace["image"]>): string {
    this.must([insecureOptions(), "fetch", this.image(...image)]);
    return image[0];
  }

  /** A pod of `run --detach ARGS…`; stopped, and removed, when `use` is done. */
  async inPod(args: readonly string[], use: (uuid: string) => Promise<void>): Promise<void> {
    const { status, stdout, stderr } = this.run(["--detach", ...args]);
    if (status !== 0) throw new Error(stderr);
    const uuid = stdout.trim();
    if (args.includes("wait")) this.untilPrinted(uuid, "waiting");
    try {
      await use(uuid);
    } finally {
      this.must(["stop", "--force", uuid]);
      this.must(["rm", uuid]);
    }
  }

  /** When this is in a log of a running pod: an app is executed before it has done anything, such as seen to its signals. */
  untilPrinted(uuid: string, text: string): void {
    const logs = join(this.data, "pods", "run", uuid, "logs");
    const isThere = () => readdirSync(logs).some((name) => readFileSync(join(logs, name), "latin1").includes(text));
    const end = Date.now() + 60_000;
    while (!isThere()) {
      if (Date.now() > end) throw new Error(`pod ${uuid} has not printed ${text}`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }

  /** Every pod there is, as `list` tells it. */
  pods(): readonly ListedPod[] {
    return JSON.parse(this.must(["list", "--format", "json"])) as readonly ListedPod[];
  }

  async close(): Promise<void> {
    for (const child of this.#started) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function insecureOptions(more: readonly string[] = []): string {
  return `--insecure-options=${["image", ...more].join(",")}`;
}

export interface ListedPod {
  readonly uuid: string;
  readonly state: string;
  readonly pid?: number;
  readonly apps: readonly { readonly name: string; readonly state: string; readonly exitStatus?: number }[];
}

/** A started command: what it prints, when it prints it, and its end. */
export class Running {
  stdout = "";
  stderr = "";
  /** The exit status; -1 when a signal ended it. */
  readonly ended: Promise<number>;
  readonly child: ChildProcess;
  #listeners: (() => void)[] = [];

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.on("data", (bytes: Buffer) => this.#heard(() => (this.stdout += bytes.toString("latin1"))));
    child.stderr?.on("data", (bytes: Buffer) => this.#heard(() => (this.stderr += bytes.toString("latin1"))));
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) => resolve(status ?? -1));
    });
  }

  #heard(keep: () => void): void {
    keep();
    for (const listener of this.#listeners) listener();
  }

  /** Resolves as soon as standard output matches; what came before counts. */
  async until(pattern: RegExp): Promise<void> {
    const printed = new Promise<true>((resolve) => {
      const look = (): void => {
        if (pattern.test(this.stdout)) resolve(true);
      };
      this.#listeners.push(look);
      look();
    });
    const status = await Promise.race([printed, this.ended]);
    if (status === true || pattern.test(this.stdout)) return;
    throw new Error(`ended with ${status} before it printed ${pattern}:\n${this.stdout}${this.stderr}`);
  }
}

/** Values of the guest's `key=value` lines, in order. */
export function valuesOf(text: string, key: string): readonly string[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line.slice(0, key.length + 1) === `${key}=`)
    .map((line) => line.slice(key.length + 1));
}

/** All of the guest's lines that begin with `prefix.`, by what follows it. */
export function tableOf(text: string, prefix: string): Readonly<Record<string, string>> {
  const lines = text.split(/\r?\n/).filter((line) => line.slice(0, prefix.length + 1) === `${prefix}.`);
  const pairs = lines.map((line) => line.slice(prefix.length + 1)).map((line) => [line, line.search(/[=:]/)] as const);
  return Object.fromEntries(pairs.map(([line, at]) => [line.slice(0, at), line.slice(at + 1).trim()]));
}

export function imageManifest(
  name: string,
  app: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return {
    acKind: "ImageManifest",
    acVersion: "0.8.11",
    name,
    labels: [
      { name: "version", value: "1.0.0" },
      { name: "os", value: "linux" },
      { name: "arch", value: process.arch === "arm64" ? "aarch64" : "amd64" },
    ],
    app: { exec: ["/guest"], user: "0", group: "0", ...app },
  };
}

/** The first match of `pattern` in what `child` prints on standard output or error. */
export function printed(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = "";
    const look = (chunk: Buffer) => {
      text += chunk.toString("utf8");
      const match = pattern.exec(text);
      if (match !== null) resolve(match);
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    child.once("exit", (status) => reject(new Error(`ended with ${status} before it printed ${pattern}:\n${text}`)));
  });
}
