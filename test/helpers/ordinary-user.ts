/**
 * The program as an ordinary user uses it: a user id that the machine need not know, no groups, no capability, and a home of its own. With
 * ranges, a mount namespace around each command shows files of accounts of our own, so that the machine's stay as they are.
 */
import type { ChildProcess, StdioOptions } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Outcome, program, project, type RunOptions, Workspace } from "./program.ts";

export interface UserOptions {
  readonly uid?: number;
  /** Lines of /etc/subuid and /etc/subgid; empty: no programs that map ids are needed. */
  readonly subuid?: string;
  readonly subgid?: string;
  /** Lines of sh that root does in the mount namespace before. */
  readonly around?: readonly string[];
}

/** Called `alice` where the files of accounts are ours. */
export class UserWorkspace extends Workspace {
  readonly uid: number;
  readonly home: string;
  readonly #options: UserOptions;
  #isRoot = false;

  constructor(options: UserOptions = {}) {
    super();
    this.#options = options;
    this.uid = options.uid ?? 1234;
    this.home = this.path("home");
    chmodSync(this.directory, 0o755);
    mkdirSync(this.home, { mode: 0o700 });
    chownSync(this.home, this.uid, this.uid);
    this.account(options.subuid ?? "", options.subgid ?? options.subuid ?? "");
    mkdirSync(this.path("checkout"));
  }

  /** What the files of accounts say from now on. */
  account(subuid: string, subgid = subuid): void {
    const lines = {
      passwd: `root:x:0:0::/:/bin/sh\nalice:x:${this.uid}:${this.uid}::${this.home}:/bin/sh\n`,
      group: `root:x:0:\nalice:x:${this.uid}:\n`,
      subuid,
      subgid,
    };
    mkdirSync(this.path("accounts"), { recursive: true });
    for (const [name, text] of Object.entries(lines)) writeFileSync(this.path("accounts", name), text);
  }

  override get data(): string {
    return join(this.home, ".local", "share", "perigee");
  }

  override get env(): Record<string, string> {
    const { XDG_CONFIG_HOME: _, XDG_DATA_HOME: __, ...env } = super.env;
    return { ...env, HOME: this.home };
  }

  /** The default directories are what is tested. */
  override get globals(): readonly string[] {
    return super.globals.slice(2);
  }

  /** Built by root, who alone says owners. */
  override image(...what: Parameters<Workspace["image"]>): string {
    this.#isRoot = true;
    try {
      return super.image(...what);
    } finally {
      this.#isRoot = false;
    }
  }

  override command(argv: readonly string[], options: RunOptions = {}): Outcome {
    if (this.#isRoot) return super.command(argv, options);
    return super.command(this.#as(argv), { cwd: "/", ...options });
  }

  override startCommand(argv: readonly string[], stdio: StdioOptions): ChildProcess {
    return super.startCommand(this.#as(argv), stdio);
  }

  /** As root, outside of any namespace. */
  asRoot(argv: readonly string[], options: RunOptions = {}): Outcome {
    return super.command(argv, options);
  }

  #as(argv: readonly string[]): readonly string[] {
    const accounts = `mount -t overlay -o lowerdir=${this.path("accounts")}:/etc overlay /etc`;
    return asUser(this.uid, this.path("checkout"), argv, [accounts, ...(this.#options.around ?? [])]);
  }
}

/**
 * What root runs so that somebody without groups and capabilities runs `argv`. Wherever the checkout is, for them it stands on the empty
 * directory `checkout`, which every user must be able to come to. `around`: lines of sh that root does in the mount namespace before.
 */
export function asUser(
  uid: number,
  checkout: string,
  argv: readonly string[],
  around: readonly string[] = [],
): readonly string[] {
  const words = argv.map((word) => (word === program ? join(checkout, "dist", "perigee") : word));
  const script = [
    "set -e",
    `mount --bind ${project} ${checkout}`,
    ...around,
    `exec setpriv --reuid=${uid} --regid=${uid} --clear-groups --inh-caps=-all "$@"`,
  ];
  return ["unshare", "--mount", "sh", "-c", script.join("\n"), "sh", ...words];
}
