/** The appc name types (TYPE-1…3, TYPE-11). Where the reference code was laxer than the text, the text holds. */
import * as z from "zod";

/** ACIdentifier (TYPE-1): lower-case letters and digits, joined by single `-`, `.`, `_`, `~` or `/`. */
export const ACIdentifier = z
  .string()
  .max(512)
  .regex(/^[a-z0-9]+([-._~/][a-z0-9]+)*$/, "TYPE-1: lower-case letters and digits, separated by one of - . _ ~ /")
  .brand<"ACIdentifier">();
export type ACIdentifier = z.infer<typeof ACIdentifier>;

/** ACName (TYPE-2): lower-case letters and digits, joined by single `-`. */
export const ACName = z
  .string()
  .max(512)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "TYPE-2: lower-case letters and digits, separated by single -")
  .brand<"ACName">();
export type ACName = z.infer<typeof ACName>;

/** Environment variable name (TYPE-11, ACI-39). */
export const EnvironmentName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z_0-9.-]*$/, "TYPE-11: letters, digits, _ . - and no leading digit");

/** A default app name from the last part of an image name (TYPE-3); undefined when nothing valid is left. */
export function sanitiseName(text: string): ACName | undefined {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  const parsed = ACName.safeParse(name);
  return parsed.success ? parsed.data : undefined;
}

/** Whether `prefix` covers `name` by whole path components: `example.com/a` covers `example.com/a/b`, not `example.com/ab` (T-S15). */
export function isUnderPrefix(name: string, prefix: string): boolean {
  const parts = name.split("/");
  return prefix.split("/").every((part, index) => parts[index] === part);
}
