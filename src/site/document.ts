/** What all pages of a site have in common: the head, the way back, the foot, and links that work wherever the site lies. Pure. */
import { createHash } from "node:crypto";
import { basename, dirname, join, relative } from "node:path/posix";
import { isUnderPrefix } from "../schema/names.ts";
import { type Html, html } from "./html.ts";
import { catalogueFile, fileUrl, pageFile, type SiteAddress, withParents } from "./layout.ts";
import { style } from "./style.ts";

/** A page is a file of the site; one of another host, or above the site's path, is reached by a URL from which no relative link leads here. */
export interface Place {
  readonly site: SiteAddress;
  readonly file: string;
  readonly isBelowSite: boolean;
}

/** Of the page for `name`. */
export function placeOfName(site: SiteAddress, name: string): Place {
  return { site, file: pageFile(site, name), isBelowSite: isUnderPrefix(name, site.prefix) };
}

/** From a page to a file of the site, or to the directory of an `index.html`. */
export function linkTo({ site, file, isBelowSite }: Place, target: string): string {
  const isDirectory = basename(target) === "index.html";
  const goal = isDirectory ? dirname(target) : target;
  if (!isBelowSite) return goal === "." ? `${site.url}/` : `${fileUrl(site, goal)}${isDirectory ? "/" : ""}`;
  const path = relative(join("/", dirname(file)), join("/", goal));
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  // What begins with `./` is never read as a scheme, whatever colon is in it.
  return `./${encoded}${isDirectory && encoded !== "" ? "/" : ""}`;
}

export interface Page {
  readonly place: Place;
  readonly title: string;
  /** Whose way up is shown; undefined: only the way to the whole site. */
  readonly name: string | undefined;
  /** What the page is of below the name's own page; undefined: it is that page. */
  readonly part?: string | undefined;
  /** Discovery's, as `name` and `content`. */
  readonly tags: readonly (readonly [name: string, content: string])[];
  readonly body: readonly Html[];
}

const styleDigest = createHash("sha256").update(style).digest("base64");
/** Nothing is loaded, run, sent or framed in, even if a template let something through. */
const policy = `default-src 'none'; style-src 'sha256-${styleDigest}'; base-uri 'none'; form-action 'none'`;

export function renderDocument(page: Page): string {
  const { place, title, tags, body } = page;
  const { markup } = html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="referrer" content="no-referrer">
${tags.map(([key, content]) => html`<meta name="${key}" content="${content}">`)}
<style>${{ markup: style }}</style>
</head>
<body>
${header(page)}
<main>
${body}
</main>
<footer>
<p>Nothing on this page has to be believed: <code>perigee</code> verifies the signature of an image before it stores it, and checks at every run that its key is still trusted. For programs: <a href="${linkTo(place, catalogueFile)}">site.json</a>.</p>
</footer>
</body>
</html>
`;
  return markup;
}

/** The way up: the whole site first, then the names that lead to this page, which all have one. */
function header({ place, name, part }: Page): Html {
  const { site } = place;
  const isBelow = (step: string): boolean => isUnderPrefix(step, site.prefix);
  const all = name === undefined ? [] : [...withParents(name)].reverse();
  // Names above the site's own are no way to it.
  const names = name !== undefined && isBelow(name) ? all.filter(isBelow) : all;
  const steps = [
    { text: site.prefix, file: "index.html" },
    ...names.map((step) => ({ text: step.split("/").at(-1) ?? step, file: pageFile(site, step) })),
  ].filter(({ file }, index) => index === 0 || file !== "index.html");
  const items = steps.map(({ text, file }) =>
    file === place.file
      ? html`<li aria-current="page">${text}</li>`
      : html`<li><a href="${linkTo(place, file)}">${text}</a></li>`,
  );
  const own = part === undefined ? undefined : html`<li aria-current="page">${part}</li>`;
  return html`<header><nav aria-label="Where this is"><ol>${items}${own}</ol></nav></header>`;
}

/** A command as one click or one long touch selects it. */
export function commandBlock(line: string): Html {
  return html`<pre class="command"><code>${line}</code></pre>`;
}

export interface TableOptions {
  readonly caption: string;
  /** The name of a column; `#` before it: numbers. */
  readonly columns: readonly string[];
  /** The first cell is the row's heading. */
  readonly rows: readonly (readonly Html[])[];
}

export function table({ caption, columns, rows }: TableOptions): Html {
  const isNumber = columns.map((column) => column[0] === "#");
  const classOf = (index: number): Html => (isNumber[index] === true ? html` class="number"` : html``);
  const head = columns.map((column, index) => html`<th scope="col"${classOf(index)}>${column.replace("#", "")}</th>`);
  const body = rows.map((row) => {
    const cells = row.map((cell, index) =>
      index === 0 ? html`<th scope="row">${cell}</th>` : html`<td${classOf(index)}>${cell}</td>`,
    );
    return html`<tr>${cells}</tr>`;
  });
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table><caption>${caption}</caption>
<thead><tr>${head}</tr></thead>
<tbody>
${body}
</tbody></table></div>`;
}
