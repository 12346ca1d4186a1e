/** Labels (ACI-26, ACI-28). */
import * as z from "zod";
import { uniqueBy } from "./lists.ts";
import { ACIdentifier } from "./names.ts";

export const Label = z.object({ name: ACIdentifier, value: z.string() });
export type Label = z.infer<typeof Label>;

/** Architectures per operating system that the reference code accepts (ACI-28). */
export const architectures: ReadonlyMap<string, readonly string[]> = new Map([
  ["linux", ["amd64", "i386", "aarch64", "aarch64_be", "armv6l", "armv7l", "armv7b", "ppc64", "ppc64le", "s390x"]],
  ["freebsd", ["amd64", "i386", "arm"]],
  ["darwin", ["x86_64", "i386"]],
]);

export const Labels = z.array(Label).superRefine((labels, context) => {
  uniqueBy(labels, (label) => label.name, "ACI-26: duplicate label", context);
  labels.forEach((label, index) => {
    if (label.name === "name")
      context.addIssue({ code: "custom", path: [index, "name"], message: 'ACI-26: no label is called "name"' });
  });
  const find = (name: string) => labels.find((label) => label.name === name)?.value;
  const os = find("os");
  const arch = find("arch");
  if (os === undefined && arch !== undefined) context.addIssue({ code: "custom", message: "ACI-28: arch without os" });
  if (os === undefined) return;
  const known = architectures.get(os);
  if (known === undefined) context.addIssue({ code: "custom", message: `ACI-28: unknown os ${JSON.stringify(os)}` });
  else if (arch !== undefined && !known.includes(arch)) {
    context.addIssue({ code: "custom", message: `ACI-28: unknown arch ${JSON.stringify(arch)} for ${os}` });
  }
});
export type Labels = z.infer<typeof Labels>;

/** The value of one label, or undefined. */
export function labelValue(labels: readonly Label[], name: string): string | undefined {
  return labels.find((label) => label.name === name)?.value;
}
