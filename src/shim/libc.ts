/**
 * The few libc calls that Node lacks, and one of its OpenSSL, through koffi. Loaded at the first call: a command that locks nothing pays nothing.
 * Knows nothing of what is locked or executed.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { Failure } from "../base/failure.ts";
import { moduleDirectory } from "./module-directory.ts";

type Koffi = Pick<typeof import("koffi"), "load" | "errno">;
type Call = (...args: readonly unknown[]) => unknown;

interface Libc {
  readonly errno: () => number;
  readonly flock: Call;
  readonly execve: Call;
  readonly fcntl: Call;
  readonly lgetxattr: Call;
  /** OpenSSL's, which Node brings; undefined in a Node that hides it. */
  readonly sha512: Call | undefined;
}

const LOCK = { shared: 1, exclusive: 2, unlock: 8 } as const;
const LOCK_NB = 4;
const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

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
      sha512: orUndefined(() => library.func("void *SHA512(const void *data, size_t length, void *digest)")),
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

function orUndefined(find: () => Call): Call | undefined {
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

/** Whether the file at `path` itself, no link followed, has the extended attribute `name`. What cannot be looked at has none. */
export function hasXattr(path: Buffer, name: string): boolean {
  return Number(libc().lgetxattr(Buffer.concat([path, Buffer.alloc(1)]), name, null, 0)) >= 0;
}
