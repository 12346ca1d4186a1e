/**
 * The few libc calls that Node lacks, and one of its OpenSSL, through koffi. Loaded at the first call: a command that locks nothing pays nothing.
 * Knows nothing of what is locked or executed.
 */
import { closeSync, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { moduleDirectory } from "./module-directory.ts";

type Koffi = Pick<typeof import("koffi"), "load" | "errno">;
type Call = (...args: readonly unknown[]) => unknown;
/** Also in the thread pool: `call.async(...args, (error, result) => …)`. */
type PooledCall = Call & { readonly async: (...args: readonly unknown[]) => void };

interface Libc {
  readonly errno: () => number;
  readonly flock: Call;
  readonly execve: Call;
  readonly fcntl: Call;
  readonly lgetxattr: Call;
  readonly pipe2: Call;
  readonly syscall: Call;
  /** OpenSSL's, which Node brings; undefined in a Node that hides it. */
  readonly sha512: Call | undefined;
  readonly running: Running | undefined;
  /** Node's own; undefined in a Node that hides it, or has another. */
  readonly newRootStore: PooledCall | undefined;
}

/** OpenSSL's functions for a digest in pieces. */
interface Running {
  readonly make: Call;
  readonly kind: Call;
  readonly begin: Call;
  readonly update: PooledCall;
  readonly finish: Call;
  readonly free: Call;
}

const LOCK = { shared: 1, exclusive: 2, unlock: 8 } as const;
const LOCK_NB = 4;
const O_CLOEXEC = 0o2000000;
const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const F_SETPIPE_SZ = 1031;

let loaded: Libc | undefined;

function libc(): Libc {
  if (loaded === undefined) {
    const koffi = loadKoffi();
    const library = koffi.load(null);
    loaded = {
      errno: () => koffi.errno(),
      flock: library.func("int flock(int fd, int operation)"),
      execve: library.func("int execve(const char *path, const char **argv, const char **envp)"),
      fcntl: library.func("int fcntl(int fd, int command, ...)"),
      lgetxattr: library.func("long lgetxattr(const void *path, const char *name, void *value, size_t size)"),
      pipe2: library.func("int pipe2(int *ends, int flags)"),
      syscall: library.func("long syscall(long number, long a, long b, long c)"),
      sha512: orUndefined(() => library.func("void *SHA512(const void *data, size_t length, void *digest)")),
      running: orUndefined(() => ({
        make: library.func("void *EVP_MD_CTX_new()"),
        kind: library.func("const void *EVP_sha512()"),
        begin: library.func("int EVP_DigestInit_ex(void *context, const void *kind, void *engine)"),
        update: library.func("int EVP_DigestUpdate(void *context, const void *data, size_t length)"),
        finish: library.func("int EVP_DigestFinal_ex(void *context, void *digest, void *length)"),
        free: library.func("void EVP_MD_CTX_free(void *context)"),
      })),
      // Its name says that it takes no arguments: one that does has another.
      newRootStore: orUndefined(() => library.func("void *_ZN4node6crypto16NewRootCertStoreEv()")),
    };
  }
  return loaded;
}

/**
 * koffi's addon, straight from its platform package: 2 ms, where the package's own entry takes 8–12 ms (Node's first module
 * look-up and a search for the right libc), which every `run` would pay. That entry is the fallback, for musl and unusual layouts.
 */
function loadKoffi(): Koffi {
  const addon = join("node_modules", "@koromix", `koffi-linux-${process.arch}`, `linux_${process.arch}`, "koffi.node");
  for (let at = moduleDirectory(); ; at = dirname(at)) {
    const path = join(at, addon);
    if (existsSync(path)) {
      const module: { exports: Partial<Koffi> } = { exports: {} };
      try {
        process.dlopen(module, path);
      } catch {
        break; // built for another libc
      }
      if (isKoffi(module.exports)) return module.exports;
    }
    if (at === dirname(at)) break;
  }
  const koffi: Koffi = createRequire(join(moduleDirectory(), "x.js"))("koffi");
  return koffi;
}

function isKoffi(exports: Partial<Koffi>): exports is Koffi {
  return typeof exports.load === "function" && typeof exports.errno === "function";
}

function orUndefined<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
}

/** The 64 bytes of a SHA-512 digest; undefined when OpenSSL cannot be reached. */
export function opensslSha512(bytes: Uint8Array): Buffer | undefined {
  const { sha512 } = libc();
  const digest = Buffer.alloc(64);
  return sha512?.(bytes, bytes.length, digest) ? digest : undefined;
}

export interface RunningSha512 {
  /** In the thread pool; `bytes` stay as they are, and nothing else is asked of it, until the promise resolves. */
  update(bytes: Uint8Array): Promise<void>;
  /** The 64 bytes. */
  finish(): Buffer;
  /** Exactly once, and last. */
  free(): void;
}

/** A SHA-512 in pieces; undefined when OpenSSL cannot be reached. */
export function opensslRunningSha512(): RunningSha512 | undefined {
  const { running } = libc();
  const context = running?.make();
  if (running === undefined || !context) return undefined;
  running.begin(context, running.kind(), null);
  return {
    update: (bytes) =>
      new Promise((resolve, reject) => {
        const done = (error: unknown): void => (error ? reject(error) : resolve());
        running.update.async(context, bytes, bytes.length, done);
      }),
    finish: () => {
      const digest = Buffer.alloc(64);
      running.finish(context, digest, null);
      return digest;
    },
    free: () => void running.free(context),
  };
}

/**
 * Lets Node parse its built-in authorities in the thread pool: it keeps them for every context of TLS, of which the first otherwise waits for that
 * as long as a bare Node takes to start. Only time is lost where it cannot be done.
 */
export function parseAuthoritiesBeside(): Promise<void> {
  return new Promise((resolve) => {
    const { newRootStore } = libc();
    if (newRootStore === undefined) resolve();
    else newRootStore.async(() => resolve());
  });
}

/** `EBADF` for 9. */
function errnoName(errno: number): string {
  return Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
}

/**
 * flock(2). False: somebody else holds it and `wait` is false. With `wait` the whole process stands still: see FileLock.acquire.
 * @throws Failure IO_FAILED
 */
export function flock(fd: number, operation: "shared" | "exclusive" | "unlock", wait: boolean): boolean {
  const { errno, flock: call } = libc();
  for (;;) {
    if (call(fd, LOCK[operation] | (wait ? 0 : LOCK_NB)) === 0) return true;
    const error = errno();
    if (error === constants.errno.EWOULDBLOCK) return false;
    if (error !== constants.errno.EINTR) {
      throw new Failure("IO_FAILED", `cannot ${operation === "unlock" ? "unlock" : "lock"} a file`, {
        cause: errnoName(error),
      });
    }
  }
}

/**
 * Becomes the program `path`. Descriptors without FD_CLOEXEC stay open; libuv has set it on 0–2 too, see clearCloexec.
 * @throws Failure NOT_EXECUTABLE, or EXEC_NOT_FOUND when there is no such program; it returns in no other way
 */
export function execve(path: string, argv: readonly string[], env: readonly string[]): never {
  const { errno, execve: call } = libc();
  call(path, [...argv, null], [...env, null]);
  const error = errno();
  const code = error === constants.errno.ENOENT ? "EXEC_NOT_FOUND" : "NOT_EXECUTABLE";
  throw new Failure(code, `cannot execute ${path}`, { subject: path, cause: errnoName(error) });
}

/** Lets `fd` stay open across execve. */
export function clearCloexec(fd: number): void {
  const { errno, fcntl } = libc();
  const flags = fcntl(fd, F_GETFD);
  if (typeof flags !== "number" || flags < 0 || fcntl(fd, F_SETFD, "int", flags & ~FD_CLOEXEC) !== 0) {
    throw new Failure("IO_FAILED", `cannot pass on descriptor ${fd}`, { cause: errnoName(errno()) });
  }
}

/** What a pipe holds. More is for root alone. */
const pipeSize = 1024 * 1024;

/**
 * A pipe of the kernel's that holds a megabyte where that is allowed; both ends are closed on exec. What Node makes between
 * processes are sockets, which cost twice the time for each byte.
 * @throws Failure LIMIT_EXCEEDED, IO_FAILED
 */
export function openPipe(): { readonly readEnd: number; readonly writeEnd: number } {
  const { errno, pipe2, fcntl } = libc();
  const ends = new Int32Array(2);
  if (pipe2(ends, O_CLOEXEC) !== 0) {
    const code = errnoName(errno());
    throw ioFailure(Object.assign(new Error(`${code}, pipe`), { code }), "cannot make a pipe", "");
  }
  const [readEnd = -1, writeEnd = -1] = ends;
  fcntl(writeEnd, F_SETPIPE_SZ, "int", pipeSize); // a refusal costs time only
  return { readEnd, writeEnd };
}

/** The same on every architecture. */
const [SYS_pidfd_open, SYS_pidfd_getfd] = [434, 438] as const;

/**
 * A copy of descriptor `descriptor` of the process `pid`, closed on exec. Undefined: there is no such process, or it has no such descriptor.
 * @throws Failure NOT_ROOT for a process that the caller may not trace, IO_FAILED, LIMIT_EXCEEDED
 */
export function copyDescriptor(pid: number, descriptor: number): number | undefined {
  const { errno, syscall } = libc();
  const process = Number(syscall(SYS_pidfd_open, pid, 0, 0));
  const copy = process < 0 ? -1 : Number(syscall(SYS_pidfd_getfd, process, descriptor, 0));
  const code = errnoName(errno());
  if (process >= 0) closeSync(process);
  if (copy >= 0) return copy;
  if (code === "ESRCH" || code === "EBADF") return undefined;
  const cause = Object.assign(new Error(`${code}, pidfd_getfd`), { code });
  if (code !== "EPERM") throw ioFailure(cause, `cannot take over a descriptor of process ${pid}`, String(pid));
  throw new Failure("NOT_ROOT", `process ${pid} is not yours to take a descriptor of`, { cause });
}

const [SOL_SOCKET, SO_TYPE] = [1, 3];
const [AF_UNIX, AF_INET, AF_INET6] = [1, 2, 10];
const kinds = new Map([
  [1, "tcp"],
  [2, "udp"],
] as const);

/** What socket `fd` is and where it is bound; undefined for what is no socket, or not open. */
export function lookAtSocket(
  fd: number,
): { readonly kind: "tcp" | "udp" | "unix" | "other"; readonly port?: number | undefined } | undefined {
  const library = loadKoffi().load(null);
  const getsockname = library.func("int getsockname(int fd, void *address, void *length)");
  const getsockopt = library.func("int getsockopt(int fd, int level, int name, void *value, void *length)");
  const [address, type] = [Buffer.alloc(128), new Int32Array(1)];
  if (getsockname(fd, address, Uint32Array.of(address.length)) !== 0) return undefined;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, type, Uint32Array.of(4)) !== 0) return undefined;
  // The family is in the machine's order, which is little-endian on both of ours; the port in the network's.
  const family = address.readUInt16LE(0);
  if (family === AF_UNIX) return { kind: "unix" };
  const kind = family === AF_INET || family === AF_INET6 ? kinds.get(type[0] as 1 | 2) : undefined;
  return kind === undefined ? { kind: "other" } : { kind, port: address.readUInt16BE(2) };
}

/** Whether the file at `path` itself, no link followed, has the extended attribute `name`. What cannot be looked at has none. */
export function hasXattr(path: Buffer, name: string): boolean {
  return Number(libc().lgetxattr(Buffer.concat([path, Buffer.alloc(1)]), name, null, 0)) >= 0;
}
