/** The flags that say when an image is fetched, shared by fetch, run and plan, and what they mean together. */
import { Failure } from "../base/failure.ts";
import type { OptionSpec, OptionValues } from "./command.ts";

const policies = ["new", "never", "update"] as const;
export type PullPolicy = (typeof policies)[number];

export function pullOptions(fallback: PullPolicy): readonly OptionSpec[] {
  return [
    [
      "--pull-policy <policy>",
      "`new`: fetch what is not stored; `never`; `update`: always look for a newer one",
      fallback,
    ],
    ["--store-only", "as --pull-policy never"],
    ["--no-store", "as --pull-policy update"],
    ["--allow-rollback", "take an image that is older than one this name brought before, and remember its age instead"],
  ];
}

/** @throws Failure USAGE for an unknown policy, and for flags that contradict each other */
export function pullPolicy(options: OptionValues, fallback: PullPolicy): PullPolicy {
  const text = options.text("pull-policy") ?? fallback;
  const named = policies.find((candidate) => candidate === text);
  if (named === undefined) {
    throw new Failure("USAGE", `--pull-policy is new, never or update, not ${JSON.stringify(text)}`, {
      subject: "--pull-policy",
    });
  }
  const said: PullPolicy[] = [
    ...(named === fallback ? [] : [named]),
    ...(options.flag("store-only") ? (["never"] as const) : []),
    ...(options.flag("store") ? [] : (["update"] as const)),
  ];
  if (new Set(said).size > 1) {
    throw new Failure("USAGE", "--pull-policy, --store-only and --no-store contradict each other", {
      hint: "give one of them: --store-only is --pull-policy never, --no-store is --pull-policy update",
    });
  }
  return said[0] ?? named;
}
