/**
 * A host for tests of networks: a network namespace and a mount namespace of its own, so that links, rules and files of the machine are left
 * alone. Lives as long as its only process.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type Outcome, program, type Running, type Workspace } from "./program.ts";

export class NetworkHost {
  readonly #work: Workspace;
  readonly #holder: ChildProcess;

  private constructor(work: Workspace, holder: ChildProcess) {
    this.#work = work;
    this.#holder = holder;
  }

  /** With `lo` up, and a link `up0` whose far end nobody answers at: 192.0.2.2/24, with the default route. */
  static async start(work: Workspace): Promise<NetworkHost> {
    const script = `set -e
mount --make-rprivate /
mount -t tmpfs none /run
ip link set lo up
ip link add up0 type veth peer name far0
ip addr add 192.0.2.2/24 dev up0
ip link set up0 up
ip link set far0 up
ip route add default via 192.0.2.1
echo ready
exec cat`;
    const holder = spawn("unshare", ["--net", "--mount", "sh", "-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    await Promise.race([
      once(holder.stdout ?? holder, "data"),
      once(holder, "exit").then(() => Promise.reject(new Error("the host for networks could not be made"))),
    ]);
    return new NetworkHost(work, holder);
  }

  get pid(): number {
    return this.#holder.pid ?? 0;
  }

  /** What stands before a command to run it here. */
  get around(): readonly string[] {
    return [
      "nsenter",
      `--net=/proc/${this.pid}/ns/net`,
      `--mount=/proc/${this.pid}/ns/mnt`,
      `--wd=${this.#work.directory}`,
    ];
  }

  command(argv: readonly string[]): Outcome {
    return this.#work.command([...this.around, ...argv]);
  }

  /** Standard output of a command that must succeed. */
  must(argv: readonly string[]): string {
    const { status, stdout, stderr } = this.command(argv);
    if (status !== 0) throw new Error(`${argv.join(" ")}: status ${status}\n${stdout}${stderr}`);
    return stdout;
  }

  perigee(args: readonly string[]): Outcome {
    return this.command([program, ...this.#work.globals, ...args]);
  }

  /** `perigee run ARGS…` to its end. */
  run(args: readonly string[]): Outcome {
    return this.command(this.#work.runLine(args));
  }

  startRun(args: readonly string[]): Running {
    return this.#work.startRun(args, this.around);
  }

  /** A pod in the background; its uuid. */
  detach(args: readonly string[]): string {
    return this.must(this.#work.runLine(["--detach", ...args])).trim();
  }

  /** Links, addresses, rules and leases: what must be as before when all pods are gone. */
  state(): string {
    const commands = [
      ["ip", "-o", "link"],
      ["ip", "route"],
      ["nft", "list", "ruleset"],
      ["sh", "-c", `ls ${this.#work.data}/networks/leases/* 2>/dev/null | grep -v -e last_reserved -e lock || true`],
    ];
    return commands
      .map((command) => this.must(command))
      .join("")
      .replace(/qlen \d+/g, "");
  }

  async close(): Promise<void> {
    const ended = once(this.#holder, "exit");
    this.#holder.stdin?.end();
    this.#holder.kill("SIGKILL");
    await ended;
  }
}
