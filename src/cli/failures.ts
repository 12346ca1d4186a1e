/** A thrown thing as text for people, as JSON, as an exit status. Pure. */
import { errnoOf, exitStatus, Failure, printable, redact, shortened } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";

/**
 * Whatever was thrown as a Failure: system errors become IO_FAILED with the call and the path, an abort INTERRUPTED,
 * anything else is a mistake of ours and INTERNAL.
 */
export function toFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  if (!(thrown instanceof Error)) return new Failure("INTERNAL", `${String(thrown)} was thrown`, { cause: thrown });
  const errno = errnoOf(thrown);
  if (thrown.name === "AbortError" || errno === "ABORT_ERR") {
    return new Failure("INTERRUPTED", "interrupted", { cause: thrown.cause });
  }
  if (errno !== undefined && /^E[A-Z0-9]+$/.test(errno)) {
    const { syscall, path } = thrown as NodeJS.ErrnoException;
    const subject = path ?? "";
    return ioFailure(thrown, `${syscall ?? "a system call"} failed${subject === "" ? "" : ` for ${subject}`}`, subject);
  }
  return new Failure("INTERNAL", "perigee failed in a way that it should not", {
    cause: thrown,
    hint: "the same command with --debug, and a report with what it prints",
  });
}

/** A wrong line always gets a way out. */
export function withHint(failure: Failure): Failure {
  if (failure.code !== "USAGE" || failure.hint !== undefined) return failure;
  const { message, subject, cause } = failure;
  return new Failure("USAGE", message, { subject, cause, hint: "the command with --help shows what it takes" });
}

/** The exit status: `run` and its kin tell their own failures from the app's (125, 126, 127), the others follow the table. */
export function statusOf(failure: Failure, kind: "run" | undefined): number {
  if (kind !== "run" || failure.code === "INTERRUPTED") return exitStatus(failure);
  if (failure.code === "NOT_EXECUTABLE") return 126;
  return failure.code === "EXEC_NOT_FOUND" ? 127 : 125;
}

/** `error[CODE]: sentence`, `  cause: …` for each cause, `  try: …`. With `debug` the causes come with their stacks. */
export function failureLines(failure: Failure, debug: boolean): readonly string[] {
  return [
    `error[${failure.code}]: ${printable(failure.message)}`,
    ...causesOf(failure, debug).flatMap((cause) => indented("  cause: ", cause)),
    ...(failure.hint === undefined ? [] : indented("  try: ", failure.hint)),
    ...(debug && failure.stack !== undefined ? stackOf(failure).map((line) => `  ${line}`) : []),
  ];
}

/** `{error: {code, message, cause, hint}}`; what there is none of is null. */
export function failureObject(failure: Failure, debug: boolean): { readonly error: object } {
  const causes = causesOf(failure, debug);
  return {
    error: {
      code: failure.code,
      message: failure.message,
      cause: causes.length === 0 ? null : causes.join("\n"),
      hint: failure.hint ?? null,
    },
  };
}

/** Longer chains are loops or noise. */
const maxCauses = 8;
/** Of one cause, which may repeat what somebody else wrote. */
const maxLines = 40;
const lineLimit = 1000;

/** The chain below `failure`, nearest first, without credentials; a cause that says what the line above said is left out. */
function causesOf(failure: Failure, debug: boolean): readonly string[] {
  const causes: string[] = [];
  let said = failure.message;
  let cause = failure.cause;
  for (let depth = 0; cause !== undefined && cause !== null && depth < maxCauses; depth += 1) {
    const lines = redact(sentenceOf(cause)).split("\n", maxLines);
    const text = lines.map((line) => shortened(line, lineLimit)).join("\n");
    if (text !== "" && !said.includes(text)) causes.push(debug ? [text, ...stackOf(cause)].join("\n") : text);
    said = text;
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return causes;
}

function sentenceOf(cause: unknown): string {
  if (typeof cause === "string") return cause;
  if (cause instanceof AggregateError && cause.message === "") return cause.errors.map(sentenceOf).join("\n");
  if (cause instanceof Failure) return cause.message;
  return cause instanceof Error ? `${cause.name === "Error" ? "" : `${cause.name}: `}${cause.message}` : String(cause);
}

function stackOf(cause: unknown): readonly string[] {
  if (!(cause instanceof Error) || cause.stack === undefined) return [];
  return cause.stack.split("\n").filter((line) => /^\s+at /.test(line));
}

/** The first line behind `label`, further ones below it. */
function indented(label: string, text: string): readonly string[] {
  const space = " ".repeat(label.length);
  return text.split("\n").map((line, index) => `${index === 0 ? label : space}${printable(line)}`);
}
