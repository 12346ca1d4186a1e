/** Bytes → strict JSON → schema → value, or one Failure that says where, which field and which rule. */
import type * as z from "zod";
import { excerpt, Failure, type FailureCode } from "../base/failure.ts";
import { ruleOf } from "./rule-words.ts";
import { ruleOfField } from "./rules.ts";
import { type JsonPosition, parseLocatedJson, parseStrictJson } from "./strict-json.ts";

/** Issues shown; a document with thousands of errors is not worth thousands of lines. */
const shownIssues = 20;

export interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/**
 * Strict JSON, then the schema; issues become one MANIFEST_INVALID whose cause lists
 * `line:column path: RULE: message` of each.
 * @throws Failure JSON_INVALID, LIMIT_EXCEEDED, MANIFEST_INVALID
 */
export function parseDocument<T extends z.ZodType>(schema: T, bytes: Uint8Array, subject: string): z.output<T> {
  const parsed = schema.safeParse(parseStrictJson(bytes, subject), { error: ruleOf });
  if (parsed.success) return parsed.data;
  const { value, locate } = parseLocatedJson(bytes, subject);
  const kind = valueAt(value, ["acKind"]) === "PodManifest" ? "pod" : "image";
  const issues = issuesOf(parsed.error, value).map((issue) => withRule(issue, kind));
  throw refusal("MANIFEST_INVALID", subject, issues, locate);
}

/** The issues of a refused value, those of a union being the ones of the branch that came furthest. */
export function issuesOf(error: z.ZodError, value: unknown): readonly Issue[] {
  return error.issues.flatMap((issue) => leaves(issue, value));
}

/** The failure that lists them; `prefix` stands before each `line:column`. */
export function refusal(
  code: FailureCode,
  subject: string,
  issues: readonly Issue[],
  locate: (path: readonly PropertyKey[]) => JsonPosition,
  { prefix = "", hint }: { readonly prefix?: string; readonly hint?: string } = {},
): Failure {
  const lines = issues.slice(0, shownIssues).map((issue) => `${prefix}${line(issue, locate(issue.path))}`);
  if (issues.length > shownIssues) lines.push(`and ${issues.length - shownIssues} more`);
  const count = issues.length === 1 ? "one rule" : `${issues.length} rules`;
  return new Failure(code, `${excerpt(subject)} breaks ${count} of its schema`, {
    subject,
    cause: lines.join("\n"),
    hint,
  });
}

function line({ path, message }: Issue, { line, column }: JsonPosition): string {
  const place = path.length === 0 ? "" : ` ${excerpt(fieldPath(path))}`;
  return `${line}:${column}${place}: ${excerpt(message)}`;
}

/** Messages of our own begin with their rule, those of the schema library get that of their field. */
function withRule({ path, message }: Issue, kind: "image" | "pod"): Issue {
  return { path, message: hasRule(message) ? message : `${ruleOfField(kind, path)}: ${message}` };
}

const hasRule = (message: string): boolean => /^[A-Z]+-\d+: /.test(message);

/** `app.ports[0].name` */
function fieldPath(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) => (typeof key === "number" ? `[${key}]` : `${index === 0 ? "" : "."}${String(key)}`))
    .join("");
}

/** The issue itself, one for each unknown field, or those of the branch of a union that came furthest: "invalid input" helps nobody. */
function leaves(issue: z.core.$ZodIssue, root: unknown): readonly Issue[] {
  if (issue.code === "invalid_union") {
    const best = nearest(issue.errors);
    const isNone = best === undefined || (hasRule(issue.message) && unknownKeys(best) > 0);
    if (!isNone) return best.flatMap((inner) => leaves({ ...inner, path: [...issue.path, ...inner.path] }, root));
  }
  if (issue.code === "unrecognized_keys") {
    const sentences = issue.message.split("\n");
    return issue.keys.map((key, index) => ({ path: [...issue.path, key], message: sentences[index] ?? issue.message }));
  }
  const isMissing = issue.code === "invalid_type" && valueAt(root, issue.path) === undefined;
  return [{ path: issue.path, message: isMissing ? "this field is needed" : issue.message }];
}

type Branch = readonly z.core.$ZodIssue[];

/** The form that was meant: one of the kind of value given, that knows the most of its fields, and fits them; else the first. */
function nearest(branches: readonly Branch[]): Branch | undefined {
  const isOther = (branch: Branch): boolean => branch.some(({ code, path }) => code === "invalid_type" && !path.length);
  const isMistyped = (branch: Branch): boolean =>
    branch.some(({ code }) => code === "invalid_type" || code === "invalid_value");
  const distance = (branch: Branch): number =>
    Number(isOther(branch)) * 1_000_000 + unknownKeys(branch) * 10 + Number(isMistyped(branch));
  return branches.filter((branch) => branch.length > 0).sort((one, other) => distance(one) - distance(other))[0];
}

function unknownKeys(branch: Branch): number {
  return branch.reduce((sum, issue) => sum + (issue.code === "unrecognized_keys" ? issue.keys.length : 0), 0);
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined,
    root,
  );
}
