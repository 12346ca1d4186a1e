/**
 * Programs that keep passwords for docker and podman: docker-credential-NAME, asked for one registry (OCI-65). The name comes from a file and
 * never becomes a path; the program gets a bounded time and says a bounded amount. What it says is secret, and is in no message.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { excerpt, Failure } from "../base/failure.ts";
import { isObject } from "../base/objects.ts";
import { defaultJsonLimits, parseStrictJson } from "../schema/strict-json.ts";
import type { RegistryCredentials } from "./credentials.ts";

export interface HelperOptions {
  readonly environment: ReadonlyMap<string, string>;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds. A helper may wait for its user to unlock something. */
  readonly timeoutMs?: number | undefined;
}

const defaultTimeout = 60_000;
/** Bytes of an answer: a token may be long. */
const longestAnswer = 64 * 1024;

/**
 * What the helper `name` knows of `server`; undefined when it says that this is nothing.
 * @throws Failure CONFIG_INVALID for a name that is none, NOT_FOUND, NOT_AUTHORISED for a helper that fails, TIMED_OUT, UNSUPPORTED, INTERRUPTED
 */
export async function askHelper(
  name: string,
  server: string,
  options: HelperOptions,
): Promise<RegistryCredentials | undefined> {
  const program = findHelper(name, options.environment);
  const { status, output } = await runHelper(program, server, options);
  if (status === 0) return credentialsIn(output, program, server);
  // The words of docker's own helpers, on standard output; every one of them says it so.
  if (/credentials not found/i.test(output.toString("utf8"))) return undefined;
  throw new Failure("NOT_AUTHORISED", `${program} does not say who you are to ${excerpt(server)}`, {
    subject: program,
    cause: `it ended with ${status ?? "a signal"}`,
    hint: `echo ${server} | ${program} get`,
  });
}

function findHelper(name: string, environment: ReadonlyMap<string, string>): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
    throw new Failure("CONFIG_INVALID", `${excerpt(name)} is not what a credential helper is called`, {
      subject: name,
      cause: "it is the end of docker-credential-NAME: letters, digits, dots, underscores and hyphens",
    });
  }
  const program = `docker-credential-${name}`;
  // What lies in the directory one happens to be in is not what the user installed.
  const directories = (environment.get("PATH") ?? "").split(":").filter(isAbsolute);
  const found = directories.map((directory) => join(directory, program)).find(isProgram);
  if (found !== undefined) return found;
  throw new Failure("NOT_FOUND", `there is no ${program}`, {
    subject: program,
    cause: "a file with credentials names it, and no directory of PATH has it",
    hint: "install it, or take it out of credHelpers and credsStore",
  });
}

function isProgram(path: string): boolean {
  try {
    const stats = statSync(path);
    return stats.isFile() && (stats.mode & 0o111) !== 0;
  } catch {
    return false;
  }
}

interface HelperEnd {
  readonly status: number | null;
  readonly output: Buffer;
}

/** Run to its end; ended, with everything it started, when it takes too long, says too much, or the caller is interrupted. */
async function runHelper(
  program: string,
  server: string,
  { environment, signal, timeoutMs = defaultTimeout }: HelperOptions,
): Promise<HelperEnd> {
  if (signal?.aborted === true) throw interrupted(signal);
  // A group of its own, so that what it started ends with it.
  const child: ChildProcess = spawn(program, ["get"], {
    ...{ cwd: "/", detached: true, env: environmentFor(environment) },
    stdio: ["pipe", "pipe", "ignore"],
  });
  // Before all else: one that could not be started has no pipes, and says so later.
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const parts: Buffer[] = [];
  let size = 0;
  let reason: Failure | undefined;
  const end = (why: Failure): void => {
    reason ??= why;
    killGroup(child.pid);
    // What left the group may still hold it open.
    child.stdout?.destroy();
  };
  child.stdout?.on("data", (part: Buffer) => {
    size += part.length;
    if (size > longestAnswer) end(new Failure("LIMIT_EXCEEDED", `${program} says more than ${longestAnswer} bytes`));
    else parts.push(part);
  });
  child.stdin?.on("error", () => {}); // one that does not read it ends by itself
  const timer = setTimeout(
    () => end(new Failure("TIMED_OUT", `${program} did not answer in ${timeoutMs / 1000} seconds`)),
    timeoutMs,
  );
  const interrupt = (): void => end(interrupted(signal));
  signal?.addEventListener("abort", interrupt, { once: true });
  try {
    child.stdin?.end(`${server}\n`);
    const status = await ended.catch((error: unknown) => {
      throw new Failure("NOT_AUTHORISED", `${program} cannot be run`, { subject: program, cause: error });
    });
    if (reason !== undefined) throw reason;
    return { status, output: Buffer.concat(parts) };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", interrupt);
  }
}

/** The user's environment without our passphrase (TRUST-33). */
function environmentFor(environment: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const { PERIGEE_PASSPHRASE: _, ...others } = Object.fromEntries(environment);
  return others;
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

function interrupted(signal: AbortSignal | undefined): Failure {
  return new Failure("INTERRUPTED", "interrupted", { cause: signal?.reason });
}

function credentialsIn(output: Buffer, program: string, server: string): RegistryCredentials | undefined {
  const answer = parseAnswer(output, program);
  const [user, password] = [answer["Username"], answer["Secret"]];
  if (typeof user !== "string" || typeof password !== "string") {
    throw new Failure("NOT_AUTHORISED", `${program} answers without a user and a secret`, { subject: program });
  }
  if (user === "" && password === "") return undefined;
  if (user === "<token>") throw identityToken(server, program);
  if (!/[\u0000-\u001f\u007f]/.test(user + password) && !user.includes(":")) return { user, password };
  throw new Failure("NOT_AUTHORISED", `what ${program} answers is no user and password`, { subject: program });
}

function parseAnswer(output: Buffer, program: string): Readonly<Record<string, unknown>> {
  try {
    const answer = parseStrictJson(output, program, defaultJsonLimits);
    if (isObject(answer)) return answer;
  } catch {
    // Its words may be the secret: none of them is told.
  }
  throw new Failure("NOT_AUTHORISED", `${program} does not answer as credential helpers do`, { subject: program });
}

/** OCI-65: such a token is exchanged by a request of another kind than those that are made here. */
export function identityToken(server: string, where: string): Failure {
  return new Failure("UNSUPPORTED", `for ${excerpt(server)} there is an identity token, and no user and password`, {
    subject: where,
    hint: `log in with a user and an access token: docker login -u USER ${server}, or podman login ${server}`,
  });
}
