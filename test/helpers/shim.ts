/** The native program as a process, for the tests of its verbs. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { setShimPath } from "../../src/shim/binary.ts";

/** PERIGEE_SHIM chooses another build, for example the one with sanitizers. */
export const shim = resolve(process.env["PERIGEE_SHIM"] ?? "native/build/perigee-shim");
setShimPath(shim);

export interface ShimResult {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** The failure line, if there is one. */
  readonly failed?: {
    readonly step: string;
    readonly subject: string;
    readonly errno: string;
    readonly message: string;
  };
}

export interface ShimOptions {
  readonly input?: Buffer;
  /** The program and arguments that start the shim, such as setpriv. */
  readonly through?: readonly string[];
}

/** Runs the shim in `directory` to its end. A run that hangs is killed, and fails the test by its signal. */
export function runShim(args: readonly string[], directory: string, options: ShimOptions = {}): ShimResult {
  const [program = shim, ...rest] = [...(options.through ?? []), shim, ...args];
  const { status, signal, stdout, stderr } = spawnSync(program, rest, {
    cwd: directory,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    input: options.input ?? Buffer.alloc(0),
    timeout: 60_000,
    killSignal: "SIGKILL",
    maxBuffer: 256 * 1024 * 1024,
  });
  const lines = stderr.toString("latin1").split("\n");
  const line = lines.find((text) => text.startsWith('{"event":"failed"'));
  return {
    status,
    signal,
    stdout,
    stderr: stderr.toString(),
    ...(line === undefined ? {} : { failed: JSON.parse(line) }),
  };
}

export interface Scratch {
  readonly path: string;
  /** A path below it. */
  at(...names: readonly string[]): string;
  remove(): Promise<void>;
}

/** A temporary directory (0700) of this test. */
export function scratch(): Scratch {
  const path = mkdtempSync(join(tmpdir(), `perigee-test-${process.pid}-`));
  return {
    path,
    at: (...names) => join(path, ...names),
    // Not by the shim, so that one that does not work leaves nothing either; nor by Node, which has no way to paths this long.
    remove: async () => void (await promisify(execFile)("rm", ["-rf", "--one-file-system", path])),
  };
}
