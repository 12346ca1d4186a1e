/** Annotations (ACI-50): data for people and tools; they never steer the host (T-R43). */
import * as z from "zod";
import { uniqueBy } from "./lists.ts";
import { ACIdentifier } from "./names.ts";

export const Annotation = z.object({ name: ACIdentifier, value: z.string() });
export type Annotation = z.infer<typeof Annotation>;

/** TYPE-8: RFC 3339; that the month has the day is checked beside it. */
const timestamp =
  /^(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;
/** TYPE-10. */
const webAddress = /^[hH][tT][tT][pP][sS]?:\/\/[^\s/?#]+(?:[/?#]\S*)?$/;

/** Annotations whose value has a form: name → pattern and rule. */
export const annotationForms: ReadonlyMap<string, readonly [pattern: RegExp, message: string]> = new Map([
  ["created", [timestamp, "TYPE-8: created is an RFC 3339 time"]],
  ["homepage", [webAddress, "TYPE-10: homepage is an http or https URL"]],
  ["documentation", [webAddress, "TYPE-10: documentation is an http or https URL"]],
  ["appc.io/executor/supports-systemd-notify", [/^(?:true|false)$/, "ACI-51: true or false"]],
]);

export const Annotations = z.array(Annotation).superRefine((annotations, context) => {
  uniqueBy(annotations, (annotation) => annotation.name, "ACI-50: duplicate annotation", context);
  annotations.forEach((annotation, index) => {
    const issue = annotationIssue(annotation);
    if (issue !== undefined) context.addIssue({ code: "custom", path: [index, "value"], message: issue });
  });
});
export type Annotations = z.infer<typeof Annotations>;

function annotationIssue({ name, value }: Annotation): string | undefined {
  const [pattern, message] = annotationForms.get(name) ?? [];
  if (pattern === undefined) return undefined;
  const match = pattern.exec(value);
  const isDay = pattern !== timestamp || hasDay(match?.[1] ?? "");
  const isAddress = pattern !== webAddress || URL.canParse(value);
  return match !== null && isDay && isAddress ? undefined : message;
}

/** Whether the calendar has `YYYY-MM-DD`: Date would take the 30th of February for a day in March. */
function hasDay(day: string): boolean {
  const date = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().slice(0, day.length) === day;
}
