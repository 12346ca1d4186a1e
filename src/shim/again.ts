/** Starts this very program once more, as another process with another environment; here because only this folder starts programs. */
import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { Failure } from "../base/failure.ts";
import { moduleDirectory } from "./module-directory.ts";

export interface AgainOptions {
  readonly directory: string;
  /** All of it: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  readonly umask: number;
  readonly signal?: AbortSignal | undefined;
}

export interface AgainResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Characters kept of each stream: results of ours are short. */
const longestOutput = 1024 * 1024;

/** `perigee WORDS…` to its end. @throws Failure INTERRUPTED, INTERNAL when the program is not beside this module */
export async function runAgain(words: readonly string[], options: AgainOptions): Promise<AgainResult> {
  const { directory, environment, umask, signal } = options;
  requireGoing(signal);
  const before = process.umask(umask);
  let child: ReturnType<typeof start>;
  try {
    child = start([programPath(), ...words], directory, environment);
  } finally {
    process.umask(before);
  }
  const kill = (): void => void child.kill("SIGTERM");
  signal?.addEventListener("abort", kill, { once: true });
  try {
    const [stdout, stderr] = [gather(child.stdout), gather(child.stderr)];
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    requireGoing(signal);
    return { status, stdout: stdout(), stderr: stderr() };
  } finally {
    signal?.removeEventListener("abort", kill);
  }
}

function requireGoing(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted");
}

function start(words: readonly string[], cwd: string, env: Readonly<Record<string, string>>) {
  return spawn(process.execPath, words, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
}

function gather(stream: NodeJS.ReadableStream): () => string {
  let text = "";
  stream.setEncoding("utf8").on("data", (part: string) => {
    if (text.length < longestOutput) text += part;
  });
  return () => text;
}

/** The bundle's entry beside this chunk, or of a checkout that was compiled the command line's main file. */
function programPath(): string {
  const here = moduleDirectory();
  const paths = [join(here, "perigee.cjs"), join(dirname(here), "cli", "main.js")];
  const found = paths.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
  if (found === undefined) throw new Failure("INTERNAL", "the program is not where this module is");
  return found;
}
