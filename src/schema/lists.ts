/** Two habits of appc documents: lists may be `null`, and list items are often unique by one field. */
import * as z from "zod";

/** A list that may be absent or `null` (the reference encoder writes `null` for an unset one); always an array afterwards. */
export function nullableList<T extends z.ZodType>(item: T) {
  return z
    .array(item)
    .nullish()
    .transform((list) => list ?? []);
}

/** As nullableList, for a list schema that has checks of its own. */
export function orEmpty<T extends z.ZodType<readonly unknown[]>>(list: T) {
  return list.nullish().transform((value) => (value ?? []) as z.output<T>);
}

/** Adds an issue at every item whose key was seen before. */
export function uniqueBy<T>(
  items: readonly T[],
  key: (item: T) => string,
  message: string,
  context: { addIssue(issue: { code: "custom"; path?: (string | number)[]; message: string }): void },
): void {
  const seen = new Set<string>();
  items.forEach((item, index) => {
    const value = key(item);
    if (seen.has(value))
      context.addIssue({ code: "custom", path: [index], message: `${message} ${JSON.stringify(value)}` });
    seen.add(value);
  });
}
