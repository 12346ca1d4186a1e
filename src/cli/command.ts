/** How a command is declared. cli/main.ts turns declarations into commander commands; nothing here knows commander. */
import type { Settings } from "../api/settings.ts";

/**
 * [flags as commander writes them, description, default as text]. `--x <v>` needs a value, `--x <v>*` may be given many times,
 * `--x [v]` takes one only as `--x=v`, `--no-x` turns `x` off.
 */
export type OptionSpec = readonly [flags: string, description: string, fallback?: string];

/** Names are long names without dashes. @throws Failure INTERNAL for a name that is not declared */
export interface OptionValues {
  /** Whether a boolean flag is on (`--no-x` is `flag("x") === false`). */
  flag(name: string): boolean;
  /** The last value given, else the default. */
  text(name: string): string | undefined;
  /** All values in the order given. */
  list(name: string): readonly string[];
}

export interface CommandContext {
  /** Positional arguments in order, variadic ones flattened. */
  readonly args: readonly string[];
  readonly options: OptionValues;
  readonly settings: Settings;
  readonly signal: AbortSignal;
  /** Intermediate results of a long-running command: a line of text, or one JSON object a line. */
  emit(text: string, value: unknown): void;
  /** Bytes of a result that is no text of ours, in the order of the calls; resolves when they are written, or nobody wants them. */
  write(bytes: Uint8Array): Promise<void>;
  /** Whether standard output is one: what is written there must be harmless for it. */
  readonly isTerminal: boolean;
  /** A result that takes the place of the one before it: on a terminal the whole screen, elsewhere more lines. */
  screen(lines: readonly string[]): void;
  /** Asks on the terminal; undefined when stdin or stderr is none. */
  ask(question: string, options?: { readonly secret?: boolean }): Promise<string | undefined>;
  /** This invocation's --format. */
  readonly format: "table" | "json";
}

export interface Command<R = unknown> {
  readonly name: string;
  /** As commander writes arguments: `<image> [directory]`, `<pod...>`. */
  readonly arguments?: string;
  readonly summary: string;
  readonly description?: string;
  readonly options?: readonly OptionSpec[];
  /** Options of one image of a pod, which the command parses itself: for help, and so that their values are not taken for global flags. */
  readonly appOptions?: readonly OptionSpec[];
  /**
   * The command parses its own line: `context.args` is everything behind its name, global flags taken out
   * (but not what stands between `--` and `---`), and `context.options` holds the defaults.
   */
  readonly passThrough?: true;
  /** The flags, global ones too, end with the first argument: all that stands behind it is a command line of somebody else's. */
  readonly endsWithCommand?: true;
  /** `run` and its kin: a failure of ours ends with 125, 126 or 127, so that it is told from the app's own status. */
  readonly kind?: "run";
  readonly examples: readonly string[];
  /** What each exit status of this command means beyond the common table. */
  readonly notes?: readonly string[];
  run(context: CommandContext): Promise<R>;
  /** The result as lines for people. */
  text(result: R, context: CommandContext): readonly string[];
  /** The result as data for --format json; the result itself when absent. */
  json?(result: R): unknown;
  /** Exit status of a result that is no Failure (verify of several files …); 0 when absent. */
  status?(result: R): number;
}

export function defineCommand<R>(command: Command<R>): Command<R> {
  return command;
}
