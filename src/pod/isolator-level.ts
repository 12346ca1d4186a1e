/** The isolators of one level, the pod or an app, and the report on what becomes of each (ACE-21, ACE-22). */
import type { IsolatorName, IsolatorValue } from "../schema/isolators.ts";

export interface IsolatorReport {
  readonly name: string;
  /** undefined: it stands at pod level. */
  readonly app?: string | undefined;
  readonly state: "enforced" | "ignored" | "modified";
  readonly why: string;
}

/** As in a validated document. */
export interface IsolatorLike {
  readonly name: string;
  readonly value?: unknown;
}

export interface Level {
  /** undefined: the pod's. */
  readonly app: string | undefined;
  readonly isolators: readonly IsolatorLike[];
  /** Names of those that the image says, not whoever runs it: they can only take from what an app has, or add what does no harm. */
  readonly fromImage: ReadonlySet<string>;
  /** Grows. */
  readonly report: IsolatorReport[];
}

/** The value of the last one of that name; the document was validated, so it has the schema's shape. */
export function lastValue<N extends IsolatorName>({ isolators }: Level, name: N): IsolatorValue<N> | undefined {
  return isolators.findLast((isolator) => isolator.name === name)?.value as IsolatorValue<N> | undefined;
}

export function say({ app, report }: Level, name: IsolatorName, state: IsolatorReport["state"], why: string): void {
  report.push({ name, app, state, why });
}
