/** A context for calling a command's functions without the command line around them. */
import type { CommandContext } from "../../src/cli/command.ts";
import { testSettings } from "./settings.ts";

export interface GivenLine {
  readonly args?: readonly string[];
  /** Flags and values by long name. A flag that is not given is off; `no-x` options are on unless given as false. */
  readonly options?: Readonly<Record<string, string | boolean>>;
}

/** Declared as `--no-x`. */
const onByDefault = ["store"];

export function commandContext({ args = [], options = {} }: GivenLine): CommandContext {
  const text = (name: string): string | undefined => {
    const value = options[name];
    return typeof value === "string" ? value : undefined;
  };
  return {
    args,
    options: {
      flag: (name) => (onByDefault.includes(name) ? options[name] !== false : options[name] === true),
      text,
      list: (name) => [text(name)].filter((value) => value !== undefined),
    },
    settings: testSettings(),
    signal: new AbortController().signal,
    emit: () => {},
    write: () => Promise.resolve(),
    isTerminal: false,
    screen: () => {},
    ask: () => Promise.resolve(undefined),
    format: "table",
  };
}
