/** Isolators (ACE-30…45, TYPE-7). Unknown ones are kept and reported, never an error (ACE-22). */
import * as z from "zod";
import {
  exclusiveIsolators,
  type IsolatorName,
  type IsolatorValue,
  singleIsolators,
  valueRules,
  valueSchemas,
} from "./isolator-values.ts";
import { ACIdentifier } from "./names.ts";
import { ruleOf } from "./rule-words.ts";

export type { IsolatorName, IsolatorValue };

export const Isolator = z.object({ name: ACIdentifier, value: z.unknown() }).superRefine((isolator, context) => {
  if (isolator.value === undefined) {
    context.addIssue({ code: "custom", path: ["value"], message: "TYPE-7: an isolator has a value" });
    return;
  }
  if (!isKnownIsolator(isolator.name)) return;
  const name: IsolatorName = isolator.name;
  const rule = valueRules[name];
  const parsed = valueSchemas[name].safeParse(isolator.value, { error: ruleOf });
  for (const { path, message } of parsed.error?.issues ?? []) {
    const ruled = hasRule(message) ? message : `${rule}: ${message}`;
    context.addIssue({ code: "custom", path: ["value", ...path], message: ruled });
  }
});
export type Isolator = z.infer<typeof Isolator>;

export const Isolators = z.array(Isolator).superRefine((isolators, context) => {
  const places = (name: string) => isolators.flatMap((isolator, index) => (isolator.name === name ? [index] : []));
  for (const [name, rule] of singleIsolators) {
    const second = places(name)[1];
    if (second === undefined) continue;
    context.addIssue({ code: "custom", path: [second], message: `${rule}: ${name} stands more than once` });
  }
  for (const [one, other, rule] of exclusiveIsolators) {
    const first = places(one)[0];
    const second = places(other)[0];
    if (first === undefined || second === undefined) continue;
    const message = `${rule}: ${one} and ${other} exclude each other`;
    context.addIssue({ code: "custom", path: [Math.max(first, second)], message });
  }
});
export type Isolators = z.infer<typeof Isolators>;

export function isKnownIsolator(name: string): name is IsolatorName & ACIdentifier {
  return Object.hasOwn(valueSchemas, name);
}

function hasRule(message: string): boolean {
  return /^[A-Z]+-\d+: /.test(message);
}

/** The value of the last isolator called `name` (it was validated with the document); undefined when there is none. */
export function isolatorValue<N extends IsolatorName>(
  isolators: readonly { readonly name: string; readonly value?: unknown }[],
  name: N,
): IsolatorValue<N> | undefined {
  return isolators.findLast((isolator) => isolator.name === name)?.value as IsolatorValue<N> | undefined;
}

/** An isolator made by us, for flags such as --memory. */
export function isolator<N extends IsolatorName>(name: N, value: IsolatorValue<N>): Isolator {
  return Isolator.parse({ name, value });
}
