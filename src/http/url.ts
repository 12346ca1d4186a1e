/** Which URLs may be asked, first and after a redirect (DISC-8, T-D01, T-D02). Pure; knows no connection. */
import { excerpt, Failure, printable } from "../base/failure.ts";

export interface UrlPolicy {
  /** --insecure-options=http: http is taken as well as https. */
  readonly insecureHttp: boolean;
}

/**
 * The URL of a request: https (http only when told), a host, no credentials, no fragment.
 * @throws Failure HTTP_FAILED
 */
export function requestUrl(text: string, policy: UrlPolicy): URL {
  if (!URL.canParse(text)) throw refusal(text, "is not a URL");
  const url = new URL(text);
  checkScheme(url, text, policy);
  // Credentials in a URL would reach logs, the store's records and, by redirects, strangers (T-D04).
  if (url.username !== "" || url.password !== "") throw refusal(text, "holds credentials, which a URL must not");
  if (text.includes("#")) throw refusal(text, "has a fragment, which is never sent");
  return url;
}

/**
 * Where a redirect from `from` leads. Only an absolute URL or a path is taken: `//host`, backslashes and white space are
 * what open redirectors and lenient parsers are tricked with.
 * @throws Failure HTTP_FAILED
 */
export function redirectTarget(from: URL, location: string | undefined, policy: UrlPolicy): URL {
  const where = `the redirect of ${from.href}`;
  if (location === undefined || location === "") throw refusal(where, "names no place");
  if (/[\s\\\u0000-\u001f\u007f]/.test(location) || location.startsWith("//") || !URL.canParse(location, from.href)) {
    throw refusal(where, `names no usable place: ${excerpt(location)}`);
  }
  return requestUrl(new URL(location, from).href, policy);
}

function checkScheme(url: URL, text: string, policy: UrlPolicy): void {
  if (url.protocol === "https:" || (url.protocol === "http:" && policy.insecureHttp)) return;
  if (url.protocol === "http:") {
    throw new Failure("HTTP_FAILED", `${excerpt(text)} is neither encrypted nor authenticated`, {
      subject: printable(text),
      hint: "ask the publisher for https, or allow http with --insecure-options=http",
    });
  }
  throw refusal(text, `has a scheme that is not fetched: ${excerpt(url.protocol)}`);
}

function refusal(text: string, why: string): Failure {
  return new Failure("HTTP_FAILED", `${printable(text)} ${why}`, { subject: printable(text) });
}
