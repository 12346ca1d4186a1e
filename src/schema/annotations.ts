/** Annotations (ACI-50): data for people and tools; they never steer the host (T-R43). */
import * as z from "zod";
import { uniqueBy } from "./lists.ts";
import { ACIdentifier } from "./names.ts";

export const Annotation = z.object({ name: ACIdentifier, value: z.string() });
export type Annotation = z.infer<typeof Annotation>;

const timestamp = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

export const Annotations = z.array(Annotation).superRefine((annotations, context) => {
  uniqueBy(annotations, (annotation) => annotation.name, "ACI-50: duplicate annotation", context);
  annotations.forEach((annotation, index) => {
    const issue = annotationIssue(annotation);
    if (issue !== undefined) context.addIssue({ code: "custom", path: [index, "value"], message: issue });
  });
});
export type Annotations = z.infer<typeof Annotations>;

function annotationIssue({ name, value }: Annotation): string | undefined {
  if (name === "created" && (!timestamp.test(value) || Number.isNaN(Date.parse(value))))
    return "TYPE-8: created is an RFC 3339 time";
  if ((name === "homepage" || name === "documentation") && !isWebUrl(value))
    return `TYPE-10: ${name} is an http or https URL`;
  return undefined;
}

function isWebUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
