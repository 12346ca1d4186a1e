/** Per-app flags that stand for isolators (`--memory`, `--caps-retain` …) → the isolators of the app. A flag replaces the image's. */
import { excerpt, Failure } from "../base/failure.ts";
import { isACIdentifier, parseQuantity } from "../schema/grammar.ts";
import type { Isolator, IsolatorName, IsolatorValue } from "../schema/isolators.ts";
import { leastMemory } from "./bounds.ts";
import { appcCapabilities, capabilityNames } from "./capabilities.ts";
import { type HealthFlags, parseHealth } from "./health.ts";
import { parseRestart, type RestartFlags } from "./restart.ts";
import { parseSeccompFlag } from "./seccomp-sets.ts";

export interface IsolatorFlags extends RestartFlags, HealthFlags {
  readonly memory?: string | undefined;
  readonly cpu?: string | undefined;
  readonly cpuShares?: string | undefined;
  readonly oomScoreAdj?: string | undefined;
  readonly capsRetain?: string | undefined;
  readonly capsRemove?: string | undefined;
  readonly seccomp?: string | undefined;
}

export interface OverriddenIsolators {
  readonly isolators: readonly Isolator[];
  /** Names of the image's that no flag replaced. */
  readonly fromImage: ReadonlySet<string>;
}

/** Isolators of the pod: `--pids-limit` replaces the 2048 of ISO-8. Init is counted, so less than 2 starts nothing. @throws Failure USAGE */
export function podIsolators(flags: { readonly pidsLimit?: string | undefined }): readonly Isolator[] {
  const pids = whole("--pids-limit", "perigee/pids", flags.pidsLimit, 2, 4194304);
  return pids === undefined ? [] : [pids];
}

/**
 * `--appc-defaults` (ISO-15): what appc says where an app says nothing, written out as the word of whoever runs it, so that a prepared pod
 * keeps it and `cat-manifest` shows it: ACE-38's 14, without the app's remove-set if it has one, and no-new-privileges false (ACE-40).
 */
export function appcDefaults({ isolators, fromImage }: OverriddenIsolators): OverriddenIsolators {
  const find = (name: IsolatorName) => isolators.find((isolator) => isolator.name === name);
  const [retain, remove] = [capabilitySet("retain"), capabilitySet("remove")];
  const removed = removedBy(find(remove)?.value);
  const left = appcCapabilities.filter((name) => !removed.includes(name));
  const given = [
    ...(find(retain) === undefined && left.length > 0 ? [make(retain, { set: [...left] })] : []),
    ...(find("os/linux/no-new-privileges") === undefined ? [make("os/linux/no-new-privileges", false)] : []),
  ];
  const replaced = new Set<string>(given.flatMap(({ name }) => kin(name)));
  return {
    isolators: [...isolators.filter(({ name }) => !replaced.has(name)), ...given],
    fromImage: new Set([...fromImage].filter((name) => !replaced.has(name))),
  };
}

function capabilitySet<M extends "retain" | "remove">(mode: M): `os/linux/capabilities-${M}-set` {
  return `os/linux/capabilities-${mode}-set`;
}

function removedBy(value: unknown): readonly string[] {
  const set = (value as IsolatorValue<"os/linux/capabilities-remove-set"> | undefined)?.set;
  return set ?? [];
}

/** `own` are the image's. @throws Failure USAGE */
export function overrideIsolators(own: readonly Isolator[], flags: IsolatorFlags): OverriddenIsolators {
  if (flags.capsRetain !== undefined && flags.capsRemove !== undefined) {
    throw new Failure("USAGE", "--caps-retain and --caps-remove exclude each other");
  }
  const [restart, health] = [parseRestart(flags), parseHealth(healthFlags(flags))];
  const given = [
    resource("--memory", "resource/memory", flags.memory, 1n, leastMemory),
    resource("--cpu", "resource/cpu", flags.cpu, 1000n, 1n),
    whole("--cpu-shares", "os/linux/cpu-shares", flags.cpuShares, 2, 262144),
    whole("--oom-score-adj", "os/linux/oom-score-adj", flags.oomScoreAdj, -1000, 1000),
    capabilities("--caps-retain", "os/linux/capabilities-retain-set", flags.capsRetain),
    capabilities("--caps-remove", "os/linux/capabilities-remove-set", flags.capsRemove),
    seccomp(flags.seccomp),
    restart === undefined ? undefined : make("perigee/restart", restart),
    health === undefined ? undefined : make("perigee/health-check", health),
  ].filter((isolator) => isolator !== undefined);
  const replaced = new Set<string>(given.flatMap(({ name }) => kin(name)));
  const kept = own.filter(({ name }) => !replaced.has(name));
  return { isolators: [...kept, ...given], fromImage: new Set(kept.map(({ name }) => name)) };
}

function healthFlags(flags: IsolatorFlags): HealthFlags {
  const { healthCommand, healthInterval, healthTimeout, healthStartPeriod, healthRetries, healthOnFailure } = flags;
  return { healthCommand, healthInterval, healthTimeout, healthStartPeriod, healthRetries, healthOnFailure };
}

/** A retain-set replaces a remove-set too, and the other way round. */
function kin(name: string): readonly string[] {
  const match = /^(.*-)(retain|remove)-set$/.exec(name);
  return match === null ? [name] : [`${match[1]}retain-set`, `${match[1]}remove-set`];
}

function make<N extends IsolatorName>(name: N, value: IsolatorValue<N>): Isolator {
  if (!isACIdentifier(name)) throw new Failure("INTERNAL", `${name} is no isolator name`);
  return { name, value };
}

function resource(
  flag: string,
  name: "resource/memory" | "resource/cpu",
  text: string | undefined,
  scale: bigint,
  least: bigint,
): Isolator | undefined {
  if (text === undefined) return undefined;
  const amount = parseQuantity(text, scale);
  if (amount === undefined) {
    throw new Failure("USAGE", `${flag} ${excerpt(text)}: not a quantity such as 128Mi or 500m`, { subject: text });
  }
  if (amount < least) {
    throw new Failure("USAGE", `${flag} ${excerpt(text)} is too little`, {
      subject: text,
      hint: `${flag} ${scale === 1n ? "1Mi" : "1m"} is the least`,
    });
  }
  return make(name, { request: text, limit: text });
}

function whole(
  flag: string,
  name: "os/linux/cpu-shares" | "os/linux/oom-score-adj" | "perigee/pids",
  text: string | undefined,
  least: number,
  most: number,
): Isolator | undefined {
  if (text === undefined) return undefined;
  const value = /^-?[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw new Failure("USAGE", `${flag} ${excerpt(text)}: a number from ${least} to ${most}`, { subject: text });
  }
  return make(name, value);
}

function capabilities(
  flag: string,
  name: "os/linux/capabilities-retain-set" | "os/linux/capabilities-remove-set",
  text: string | undefined,
): Isolator | undefined {
  if (text === undefined) return undefined;
  const set = text.split(",").map((word) => word.trim());
  const unknown = set.filter((word) => !capabilityNames.includes(word));
  if (unknown.length > 0) {
    throw new Failure("USAGE", `${flag}: unknown capabilities: ${unknown.map(excerpt).join(", ")}`, {
      hint: "names are as in capabilities(7), such as CAP_NET_ADMIN",
    });
  }
  return make(name, { set });
}

function seccomp(text: string | undefined): Isolator | undefined {
  if (text === undefined) return undefined;
  const { mode, set, errno } = parseSeccompFlag(text);
  const value = { set: [...set], ...(errno === undefined ? {} : { errno }) };
  return make(mode === "retain" ? "os/linux/seccomp-retain-set" : "os/linux/seccomp-remove-set", value);
}
