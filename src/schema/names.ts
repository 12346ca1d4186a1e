/** The appc name types (TYPE-1…3, TYPE-11). Where the reference code was laxer than the text, the text holds. */
import * as z from "zod";
import { acIdentifier, acName, environmentName, isUnderPrefix, nameLimit, sanitiseName } from "./grammar.ts";

export { isUnderPrefix, sanitiseName };

/** ACIdentifier (TYPE-1): lower-case letters and digits, joined by single `-`, `.`, `_`, `~` or `/`. */
export const ACIdentifier = z
  .string()
  .max(nameLimit)
  .regex(acIdentifier, "TYPE-1: lower-case letters and digits, separated by one of - . _ ~ /")
  .brand<"ACIdentifier">();
export type ACIdentifier = z.infer<typeof ACIdentifier>;

/** ACName (TYPE-2): lower-case letters and digits, joined by single `-`. */
export const ACName = z
  .string()
  .max(nameLimit)
  .regex(acName, "TYPE-2: lower-case letters and digits, separated by single -")
  .brand<"ACName">();
export type ACName = z.infer<typeof ACName>;

/** Environment variable name (TYPE-11, ACI-39). */
export const EnvironmentName = z
  .string()
  .regex(environmentName, "TYPE-11: letters, digits, _ . - and no leading digit");
