/**
 * The line of `run` and its kin: pod flags, then one segment per image with its own flags and arguments
 * (`run [POD FLAGS] IMAGE [APP FLAGS] [-- ARGS… [---]] [IMAGE …]`). Pure; knows neither images nor pods.
 */
import { Failure } from "../base/failure.ts";
import type { OptionSpec, OptionValues } from "./command.ts";
import {
  declareOptions,
  findOption,
  type GivenOptions,
  give,
  isOption,
  type OptionDeclaration,
  optionValues,
  takeOption,
  unknownOption,
} from "./options.ts";

export interface AppSegment {
  readonly image: string;
  readonly options: OptionValues;
  /** Appended to the image's exec. */
  readonly args: readonly string[];
}

export interface AppSegments {
  readonly pod: OptionValues;
  readonly apps: readonly AppSegment[];
}

/** Allowed before the first image, where it means every app. */
const forEveryApp = "mount";

interface Segment {
  readonly image: string;
  readonly given: Map<string, (string | undefined)[]>;
  args: string[] | undefined;
}

/**
 * Splits `argv`, which holds no global flags any more. `--` begins the arguments of the nearest image on the left and `---` ends them;
 * a stray `---` is ignored. Flags behind an image are its own if its table has them, else the pod's.
 * @throws Failure USAGE: an app's flag or `--` before any image, `--` twice for one image, a flag twice on one image, unknown flags
 */
export function parseAppSegments(
  argv: readonly string[],
  podOptions: readonly OptionSpec[],
  appOptions: readonly OptionSpec[],
): AppSegments {
  const app = declareOptions(appOptions);
  const ownPod = declareOptions(podOptions);
  const shared = app.filter(({ name }) => name === forEveryApp && ownPod.every((option) => option.name !== name));
  const pod = [...ownPod, ...shared];
  const podGiven = new Map<string, (string | undefined)[]>();
  const segments: Segment[] = [];
  for (let index = 0; index < argv.length; ) {
    const word = argv[index] ?? "";
    const segment = segments.at(-1);
    if (word === "---") {
      index += 1;
    } else if (word === "--") {
      const args = argumentsAfter(argv, index);
      attachArguments(segment, args);
      index += 1 + args.length;
    } else if (isOption(word)) {
      index += takeFlag(argv, index, { pod, app, podGiven, segment });
    } else {
      segments.push({ image: word, given: new Map(), args: undefined });
      index += 1;
    }
  }
  return {
    pod: optionValues(pod, podGiven),
    apps: segments.map(({ image, given, args }) => ({ image, options: optionValues(app, given), args: args ?? [] })),
  };
}

interface FlagTables {
  readonly pod: readonly OptionDeclaration[];
  readonly app: readonly OptionDeclaration[];
  readonly podGiven: Map<string, (string | undefined)[]>;
  readonly segment: Segment | undefined;
}

/** Reads one flag into the place it belongs to; returns how many words it took. */
function takeFlag(argv: readonly string[], index: number, tables: FlagTables): number {
  const word = argv[index] ?? "";
  const { pod, app, podGiven, segment } = tables;
  const own = segment === undefined ? undefined : findOption(app, word);
  const declaration = own ?? findOption(pod, word);
  if (declaration === undefined) throw misplacedOption(word, tables);
  const { value, words } = takeOption(declaration, argv, index);
  if (own === undefined || segment === undefined) {
    give(podGiven, declaration.name, value);
    return words;
  }
  if (!own.isRepeatable && isGiven(segment.given, own.name)) {
    throw new Failure("USAGE", `${own.long} stands twice for the image ${segment.image}`, { subject: segment.image });
  }
  give(segment.given, own.name, value);
  return words;
}

function isGiven(given: GivenOptions, name: string): boolean {
  return given.has(name);
}

function misplacedOption(word: string, { pod, app, segment }: FlagTables): Failure {
  const declaration = segment === undefined ? findOption(app, word) : undefined;
  if (declaration === undefined) {
    const failure = unknownOption(word, [...pod, ...app]);
    // What users of other tools type first: `run IMAGE ls -la`.
    const hint = failure.hint ?? "what is meant for the app stands behind --: perigee run IMAGE -- ARGUMENTS";
    return new Failure("USAGE", failure.message, { subject: failure.subject, hint });
  }
  return new Failure("USAGE", `${declaration.long} belongs to an image, and no image stands before it`, {
    subject: declaration.long,
    hint: `IMAGE ${declaration.long}${declaration.value === "none" ? "" : ` ${declaration.valueName.toUpperCase()}`}`,
  });
}

/** The words between `--` at `index` and the next `---` or the end. */
function argumentsAfter(argv: readonly string[], index: number): readonly string[] {
  const end = argv.indexOf("---", index + 1);
  return argv.slice(index + 1, end < 0 ? argv.length : end);
}

function attachArguments(segment: Segment | undefined, args: readonly string[]): void {
  if (segment === undefined) {
    throw new Failure("USAGE", "-- begins the arguments of an image, and no image stands before it", {
      hint: "IMAGE -- ARGUMENTS",
    });
  }
  if (segment.args !== undefined) {
    throw new Failure("USAGE", `-- stands twice for the image ${segment.image}`, {
      subject: segment.image,
      hint: `${segment.image} -- ARGUMENTS --- NEXT-IMAGE`,
    });
  }
  segment.args = [...args];
}
