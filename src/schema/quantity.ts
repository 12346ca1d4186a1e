/** Resource quantities (TYPE-12, ACE-41): exact integers in base units, never floats. */
import * as z from "zod";
import { parseQuantity, quantity } from "./grammar.ts";

export { parseQuantity };

const written = z
  .string()
  .regex(quantity, "TYPE-12: digits, optional fraction, suffix n u m k K M G T P E Ki Mi Gi Ti Pi Ei or an exponent");
const neither = { error: "TYPE-12: a quantity such as 512Mi in quotes, or an integer" };

/** A quantity as written; integers are read too, as JSON writers often drop the quotes. */
export const Quantity = z.union([written, z.int().transform(String)], neither);
export type Quantity = z.infer<typeof Quantity>;

/** The kernel's counters are signed 64-bit numbers; more would become another number there. */
const largest = 2n ** 63n - 1n;

/** How much of a resource (ACE-41). */
export const Amount = z
  .union(
    [written.regex(/^[^-]/, "ACE-41: not negative"), z.int().min(0, "ACE-41: not negative").transform(String)],
    neither,
  )
  .refine((text) => (parseQuantity(text) ?? 0n) <= largest, "ACE-41: at most 2^63 - 1");
