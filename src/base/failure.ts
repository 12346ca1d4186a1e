/**
 * The one error class and the one table of its codes. Everything the user can be told has a code here;
 * the exit status of every command but `run` and its kin follows from it (spec/failures.md).
 */

/** code → exit status: 1 failed · 2 usage · 3 not found · 4 trust · 5 bad content · 6 wrong state · 7 network · 130 interrupted */
const statusOf = {
  USAGE: 2,
  NOT_FOUND: 3,
  ALREADY_EXISTS: 6,
  AMBIGUOUS: 2,
  MANIFEST_INVALID: 1,
  JSON_INVALID: 1,
  IMAGE_INVALID: 1,
  ARCHIVE_INVALID: 1,
  LIMIT_EXCEEDED: 1,
  UNSUPPORTED: 1,
  CONFIG_INVALID: 1,
  RECIPE_INVALID: 1,
  STEP_FAILED: 1,
  KEY_INVALID: 1,
  PASSPHRASE_WRONG: 1,
  SIGNATURE_MISSING: 4,
  KEY_UNTRUSTED: 4,
  NOT_AUTHORISED: 4,
  SIGNATURE_BAD: 5,
  SIGNATURE_INVALID: 4,
  DIGEST_MISMATCH: 5,
  NAME_MISMATCH: 5,
  ROLLBACK: 5,
  DEPENDENCY_CYCLE: 1,
  DEPENDENCY_DEPTH: 1,
  DISCOVERY_FAILED: 3,
  HTTP_FAILED: 7,
  TLS_FAILED: 7,
  TIMED_OUT: 7,
  DISK_FULL: 1,
  NOT_ROOT: 1,
  KERNEL_LACKS: 1,
  LOCKED: 6,
  WRONG_STATE: 6,
  WAIT_TIMED_OUT: 1,
  NETWORK_FAILED: 1,
  NOT_READY: 1,
  SHIM_FAILED: 1,
  SHIM_MISSING: 1,
  NOT_EXECUTABLE: 1,
  EXEC_NOT_FOUND: 3,
  IO_FAILED: 1,
  INTERRUPTED: 130,
  INTERNAL: 1,
} as const;

export type FailureCode = keyof typeof statusOf;

export interface FailureDetails {
  /** What it is about: a path, a name, a fingerprint. */
  readonly subject?: string | undefined;
  /** A command or an action that would help; printed behind `try:`. */
  readonly hint?: string | undefined;
  /** The underlying error, or a sentence. */
  readonly cause?: unknown;
}

export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: FailureCode;
  readonly subject: string | undefined;
  readonly hint: string | undefined;

  constructor(code: FailureCode, message: string, details: FailureDetails = {}) {
    super(sentence(message), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.subject = details.subject === undefined ? undefined : sentence(details.subject);
    this.hint = details.hint === undefined ? undefined : sentence(details.hint);
  }
}

/** The hint of a limit of images that a configuration file may set (spec/image.md); `needed` when it is known how much would do. */
export function raiseLimit(name: string, needed?: number | bigint): { readonly hint: string } {
  return {
    hint: `if you trust the image, set ${name}${needed === undefined ? "" : `, to ${needed} or more,`} in limits.d: perigee help limits`,
  };
}

/** The exit status of a command that ended with `error` (architecture 12); `run` and its kin map it to 125–127 themselves. */
export function exitStatus(error: unknown): number {
  return error instanceof Failure ? statusOf[error.code] : 1;
}

/** What a thrown value says, for a sentence about something else. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** All codes with their exit status, for the reference pages and spec/failures.md. */
export function failureCodes(): readonly (readonly [FailureCode, number])[] {
  return Object.entries(statusOf) as [FailureCode, number][];
}

/** Characters of a sentence that are kept: a longer one was written by somebody who wants to fill a screen or a log. */
const sentenceLimit = 4096;
/** Characters of a name or value of somebody else's that a sentence repeats. */
const excerptLimit = 200;

/** Credentials go before anything is cut off: half of a URL would not be known as one. */
function sentence(text: string): string {
  return shortened(redact(text), sentenceLimit);
}

/** Beginning and end of `text` with what was left out counted between them; `text` itself when it has at most `limit` characters. */
export function shortened(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const tail = Math.floor(limit / 4);
  return `${text.slice(0, limit - tail)}…(${text.length - limit} characters)…${text.slice(-tail)}`;
}

/** Foreign text as part of a sentence: harmless for a terminal, and never more than a line or two of it (CLI-9). */
export function excerpt(text: string): string {
  return printable(shortened(text, excerptLimit));
}

/**
 * Takes credentials out of every URL in `text`, and values out of Authorization headers (T-D04). Meets text of any length from
 * anybody, so no pattern here may look twice at the same characters from different beginnings.
 */
export function redact(text: string): string {
  return text
    .replace(/:\/\/[^\s/]*@/g, "://***@")
    .replace(/(authorization:\s*(?:basic|bearer)\s+)\S+/gi, "$1***")
    .replace(/([?&](?:X-Amz-Signature|token|password|access_token)=)[^&\s]+/gi, "$1***");
}

/**
 * Foreign text made harmless for a terminal: control characters, escapes, line and bidirectional marks become \xNN or \u{…}
 * (T-R47: names and annotations that repaint the screen).
 */
export function printable(text: string): string {
  // Nearly all names are; the look for the others costs ten times as much.
  if (/^[ -~]*$/.test(text)) return text;
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]/gu,
    (c) => {
      const point = c.codePointAt(0) ?? 0;
      return point < 256 ? `\\x${point.toString(16).padStart(2, "0")}` : `\\u{${point.toString(16)}}`;
    },
  );
}

/** The errno name (`ENOENT`) of a Node system error, else undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" && !(error instanceof Failure) ? error.code : undefined;
}
