/** Resource quantities (TYPE-12, ACE-41): exact integers in base units, never floats. */
import * as z from "zod";
import { parseQuantity } from "./grammar.ts";

export { parseQuantity };

/** A quantity as written; numbers are read too, as JSON writers often drop the quotes. */
export const Quantity = z
  .union([z.string(), z.number().int().transform(String)])
  .refine(
    (text) => parseQuantity(text) !== undefined,
    "TYPE-12: digits, optional fraction, suffix n u m k K M G T P E Ki Mi Gi Ti Pi Ei or an exponent",
  );
export type Quantity = z.infer<typeof Quantity>;
