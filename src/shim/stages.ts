/** What the plan says of an app's life beyond its first start, and the records of it (spec/shim.md). */

/** When an app that has ended is started again (SHIM-10). */
export interface RestartPlan {
  readonly policy: "on-failure" | "always";
  /** How often; 0: without end. */
  readonly most: number;
  /** In the root that it had; else in a new one of its image's files. */
  readonly keepRoot: boolean;
}

export function restartRecord({ policy, most, keepRoot }: RestartPlan) {
  return ["restart", policy, most, keepRoot ? "keep" : "fresh"] as const;
}
