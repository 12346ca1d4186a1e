/** For assert.throws and assert.rejects: is it this Failure? */
import { Failure, type FailureCode } from "../../src/base/failure.ts";

/** Whether an error is a Failure with that code, whose message matches `text`, and whose cause and hint match what is asked. */
export function fails(
  code: FailureCode,
  text: RegExp = /./,
  details: { readonly hint?: RegExp; readonly cause?: RegExp } = {},
): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof Failure) || error.code !== code || !text.test(error.message)) return false;
    if (details.hint !== undefined && !details.hint.test(error.hint ?? "")) return false;
    return details.cause === undefined || details.cause.test(String(error.cause));
  };
}
