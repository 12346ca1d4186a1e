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

  readonly #far: number;

  private constructor(work: Workspace, holder: ChildProcess, far: number) {
    this.#work = work;
    this.#holder = holder;
    this.#far = far;
  }

  /** With nothing in /run but what /etc/resolv.conf may lead to; with `lo` up, and a link `up0`, 192.0.2.2/24, to another host, 192.0.2.1, which the default route leads to. */
  static async start(work: Workspace): Promise<NetworkHost> {
    const script = `set -e
mount --make-rprivate /
resolv=$(readlink -f /etc/resolv.conf); servers=$(cat "$resolv"; echo .)
mount -t tmpfs none /run
case "$resolv" in /run/*) mkdir -p "\${resolv%/*}"; printf %s "\${servers%.}" >"$resolv" ;; esac
ip link set lo up
unshare --net sleep infinity & far=$!
ip link add up0 type veth peer name far0
until [ "$(readlink /proc/$far/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.02; done
ip link set far0 netns $far
nsenter --net=/proc/$far/ns/net ip link set lo up
nsenter --net=/proc/$far/ns/net ip addr add 192.0.2.1/24 dev far0
nsenter --net=/proc/$far/ns/net ip link set far0 up
ip addr add 192.0.2.2/24 dev up0
ip link set up0 up
ip route add default via 192.0.2.1
echo ready $far
cat
kill $far`;
    const holder = spawn("unshare", ["--net", "--mount", "sh", "-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    const [ready] = await Promise.race([
      once(holder.stdout ?? holder, "data"),
      once(holder, "exit").then(() => Promise.reject(new Error("the host for networks could not be made"))),
    ]);
    return new NetworkHost(work, holder, Number(String(ready).split(" ")[1]));
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

  /** Standard output of a command on the other host. */
  fromFarEnd(argv: readonly string[]): string {
    return this.#work.command(["nsenter", `--net=/proc/${this.#far}/ns/net`, ...argv]).stdout;
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

  /** Links, routes, rules and leases: what must be as before when all pods are gone. The tables and hooks that iptables makes for itself stay. */
  state(): string {
    const commands = [
      ["ip", "-o", "link"],
      ["ip", "route"],
      ["nft", "list", "ruleset"],
      ["sh", "-c", `ls ${this.#work.data}/networks/leases/* 2>/dev/null | grep -v -e last_reserved -e lock || true`],
    ];
    const lines = commands.flatMap((command) => this.must(command).split("\n"));
    const own =
      /^\s*(?:table ip6? (?:nat|filter) \{|chain (?:INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING) \{|type .*|\})?$/;
    // Whether a bridge has a carrier follows its ports a moment later.
    const transient = /<[A-Z,_-]*>|state [A-Z]+|\blinkdown\b/g;
    return lines
      .filter((line) => !own.test(line))
      .map((line) => line.replace(transient, "").trimEnd())
      .join("\n");
  }

  async close(): Promise<void> {
    const ended = once(this.#holder, "exit");
    this.#holder.stdin?.end();
    await ended;
  }
}
