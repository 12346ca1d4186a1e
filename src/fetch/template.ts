/** URL templates of discovery (DISC-4, DISC-5). Pure; the template is the site's text, the values may be a stranger's. */
import { excerpt, Failure } from "../base/failure.ts";
import { requestUrl, type UrlPolicy } from "../http/url.ts";

export type Rendered = { readonly url: string } | { readonly problem: string };

/**
 * `template` with every `{key}` replaced: the name as it is (its characters are safe in a path), other values percent-encoded.
 * A template is refused, with the reason, when it has no `{ext}`, when a key has no value (this is how a template that needs
 * a label is passed over), or when a value could steer the URL elsewhere: to another host, or up in the path (T-D06).
 */
export function renderTemplate(template: string, values: ReadonlyMap<string, string>, policy: UrlPolicy): Rendered {
  if (!template.includes("{ext}")) return { problem: "it has no {ext}" };
  const missing = [...template.matchAll(/\{([^{}]*)\}/g)].flatMap(([, key = ""]) => (values.has(key) ? [] : [key]));
  if (missing.length > 0) return { problem: `it needs ${missing.map((key) => `{${excerpt(key)}}`).join(", ")}` };
  try {
    const text = substitute(template, (key) => values.get(key) ?? "");
    const url = checkUrl(text, policy);
    const neutral = substitute(template, (key) => (key === "name" ? (values.get(key) ?? "") : "x"));
    if (!URL.canParse(neutral) || new URL(neutral).host !== url.host)
      return { problem: "a label would choose the host" };
    return { url: url.href };
  } catch (error) {
    if (error instanceof Failure) return { problem: error.message };
    // encodeURIComponent refuses a lone surrogate.
    if (error instanceof URIError) return { problem: "a label is not valid Unicode" };
    throw error;
  }
}

function substitute(template: string, value: (key: string) => string): string {
  return template.replace(/\{([^{}]*)\}/g, (_, key: string) =>
    key === "name" ? value(key) : encodeURIComponent(value(key)),
  );
}

function checkUrl(text: string, policy: UrlPolicy): URL {
  if (/[{}\s\\<>"^`|\u0000-\u001f\u007f]/.test(text)) {
    throw new Failure("HTTP_FAILED", `${excerpt(text)} holds characters that no URL has`);
  }
  // URL parsing would resolve these quietly: a value of `..` must not reach another directory of the site.
  const path = text.split(/[?#]/, 1)[0] ?? "";
  if (path.split("/").some((part) => /^(\.|%2e){1,2}$/i.test(part))) {
    throw new Failure("HTTP_FAILED", `${excerpt(text)} leads upwards`);
  }
  return requestUrl(text, policy);
}
