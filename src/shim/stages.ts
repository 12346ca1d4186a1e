/** What the plan says of an app's life beyond its first start, and the records of it (spec/shim.md). */

/** When an app that has ended is started again (SHIM-10). */
export interface RestartPlan {
  /** `unhealthy`: only when its checks ask for it. */
  readonly policy: "on-failure" | "always" | "unhealthy";
  /** How often; 0: without end. */
  readonly most: number;
  /** In the root that it had; else in a new one of its image's files. */
  readonly keepRoot: boolean;
}

/** How an app is asked whether it is well (SHIM-16); times are milliseconds. */
export interface HealthPlan {
  readonly command: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  /** So many failures one after the other make it unhealthy. */
  readonly retries: number;
  readonly action: "none" | "kill" | "restart";
}

export interface StagesPlan {
  /** Absent: an app that has ended is not started again. */
  readonly restart?: RestartPlan | undefined;
  readonly health?: HealthPlan | undefined;
}

export function* stagesRecords({ restart, health }: StagesPlan) {
  if (restart) yield ["restart", restart.policy, restart.most, restart.keepRoot ? "keep" : "fresh"] as const;
  if (health === undefined) return;
  for (const word of health.command) yield ["check", word] as const;
  const { interval, timeout, startPeriod, retries, action } = health;
  yield ["health", interval, timeout, startPeriod, retries, action] as const;
}
