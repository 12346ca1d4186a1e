/** HTML from text that strangers wrote: whatever is put into a template is text, unless it is HTML that another template made. Pure. */
import { printable } from "../base/failure.ts";

/** Only `html` makes it. */
export interface Html {
  readonly markup: string;
}

type Value = string | number | undefined | Html | readonly Html[];

/** A template whose values cannot end an element or a quoted attribute. Undefined is nothing. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  const parts = strings.map((text, index) => (index === 0 ? "" : markupOf(values[index - 1])) + text);
  return { markup: parts.join("") };
}

function markupOf(value: Value): string {
  if (value === undefined) return "";
  if (typeof value === "string" || typeof value === "number") return escapeHtml(visible(String(value)));
  return "markup" in value ? value.markup : value.map(({ markup }) => markup).join("\n");
}

/** Text as it may stand between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** Marks that turn text around or hide it are shown; lines stay lines (T-R47). */
function visible(text: string): string {
  return text.replace(/[^\n\t]+/g, printable);
}

/** A link for http and https, and nothing but text for everything else, such as `javascript:`. */
export function webLink(url: string): Html {
  const isWeb = URL.canParse(url) && ["http:", "https:"].includes(new URL(url).protocol);
  return isWeb ? html`<a href="${url}" rel="nofollow noopener noreferrer">${url}</a>` : html`${url}`;
}

/** 40 digits in groups of four, which wrap. */
export function spacedFingerprint(fingerprint: string): string {
  return fingerprint.toUpperCase().replace(/(.{4})(?=.)/g, "$1 ");
}
