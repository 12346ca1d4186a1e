/** `--detach-keys`, in the form that podman and docker have. Pure. */
import { excerpt, Failure } from "../base/failure.ts";

export const defaultDetachKeys = "ctrl-p,ctrl-q";

const mostKeys = 16;

/** CLI-88: one byte a key; none for an empty text. @throws Failure USAGE */
export function parseDetachKeys(text: string): Uint8Array {
  if (text === "") return new Uint8Array();
  const keys = text.split(",").map((word) => keyOf(word, text));
  if (keys.length > mostKeys) throw wrong(text, `there are more than ${mostKeys}`);
  return Uint8Array.from(keys);
}

/** ctrl and one of 32 characters is a control character, which has that one's last five bits. */
function keyOf(word: string, text: string): number {
  const [, control, letter] = /^(?:ctrl-([a-z@^[\\\]_])|([a-zA-Z]))$/.exec(word) ?? [];
  if (control !== undefined) return control.charCodeAt(0) & 0x1f;
  if (letter !== undefined) return letter.charCodeAt(0);
  throw wrong(text, `${excerpt(word)} is neither a letter nor ctrl- and one of a-z @ ^ [ \\ ] _`);
}

function wrong(text: string, cause: string): Failure {
  return new Failure("USAGE", "--detach-keys are keys with commas between, or nothing", {
    subject: text,
    cause,
    hint: `--detach-keys=${defaultDetachKeys}`,
  });
}
