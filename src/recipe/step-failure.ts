/** What is said when a step cannot be done: which it is, where it stands, why, and how to get there. */
import { Failure, type FailureDetails, printable } from "../base/failure.ts";
import { pathBytes, type StackView } from "../store/stack.ts";
import type { PlannedStep } from "./plan.ts";

/** Of a recipe, for hints: the words that open a shell in it, but for the number. */
interface Told {
  readonly count: number;
  readonly shellCommand: string;
}

/** A command that ended with another status than 0. */
export function stepFailed(
  { count, shellCommand }: Told,
  { number, place, title }: Pick<PlannedStep, "number" | "place" | "title">,
  { status, lastLines }: { readonly status: number; readonly lastLines: readonly string[] },
  logFile: string,
): Failure {
  const ending = status > 128 ? `${status} (signal ${status - 128})` : String(status);
  const said = lastLines.length === 0 ? ["it said nothing"] : lastLines.map(printable);
  return new Failure("STEP_FAILED", `step ${number} of ${count} (${place}) ended with status ${ending}: ${title}`, {
    subject: place,
    cause: [...said, `the whole log: ${logFile}`].join("\n"),
    hint: `${shellCommand} ${number}`,
  });
}

/** The failure with the place before it that the recipe speaks of it at. */
export function inPlace(error: unknown, place: string): unknown {
  if (!(error instanceof Failure) || error.code === "INTERRUPTED") return error;
  const { code, message, subject, hint, cause } = error;
  return new Failure(code, `${place}: ${message}`, { subject, hint, cause });
}

/** Any other failure with the place of its step before it; those of pods speak of `run`, whose options a recipe does not have. */
export function inStep(error: unknown, { number, place, step }: PlannedStep): unknown {
  if (!(error instanceof Failure) || error.code === "INTERRUPTED" || error.code === "STEP_FAILED") return error;
  const { code, message, subject, hint, cause } = error;
  const own = "run" in step ? inCommand(error, typeof step.run === "string") : undefined;
  const details = { subject, hint, cause, ...own };
  return new Failure(code, `step ${number} (${place}): ${own?.message ?? message}`, details);
}

type Words = FailureDetails & { readonly message: string };

function inCommand({ code, subject = "" }: Failure, isLine: boolean): Words | undefined {
  if (code === "NOT_EXECUTABLE") {
    const message = `${printable(subject)} cannot be executed`;
    return {
      message,
      hint: 'give it a mode such as "0755", and copy the interpreter that it names, or name another program',
    };
  }
  if (code !== "EXEC_NOT_FOUND") return undefined;
  if (isLine) return noShell("the line cannot be run");
  const message = `${printable(subject)} is not in the image that the steps before have made`;
  return { message, hint: "name a program that is there, with its whole path" };
}

/** The shell that a line is given to, and --shell-at opens. */
const shell = "/bin/sh";

function noShell(what: string): Words {
  return {
    message: `${what}: there is no ${shell} in the image at that step`,
    hint: `write the command as a list, run: [/bin/PROGRAM, ARGUMENT], or copy a shell to ${shell} in a step before`,
  };
}

/** Before --shell-at makes a pod, which would be left. @throws Failure EXEC_NOT_FOUND; IMAGE_INVALID for links in a circle */
export function requireShell(view: StackView, number: number): void {
  if (view.find(view.resolve(pathBytes(shell), { last: true })) !== undefined) return;
  const { message, hint } = noShell(`--shell-at ${number} opens no shell`);
  throw new Failure("EXEC_NOT_FOUND", message, { subject: shell, hint });
}
