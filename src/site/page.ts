/** The HTML of a discovery page (DISC-1…6), for machines in its head and for people in its body. Pure; needs no script. */
import type { CatalogueImage } from "./catalogue.ts";
import { fileUrl, isForAnyMachine, keyFile, latestVersion, type SiteAddress, template } from "./layout.ts";

export interface PageContent {
  readonly site: SiteAddress;
  /** The name that the page answers for. */
  readonly name: string;
  /** Images called so or below it. */
  readonly images: readonly CatalogueImage[];
}

/** Text as it may stand between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

export function renderPage({ site, name, images }: PageContent): string {
  const own = images.filter((image) => image.name === name);
  const below = [...new Set(images.filter((image) => image.name !== name).map((image) => image.name))];
  const signers = [...new Set(images.flatMap((image) => image.signers ?? []))].sort();
  const lines = [
    "<!DOCTYPE html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    `<title>${escapeHtml(name)}</title>`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    meta("ac-discovery", `${name} ${template(site, (own.length > 0 ? own : images).every(isForAnyMachine))}`),
    ...signers.map((signer) => meta("ac-discovery-pubkeys", `${name} ${fileUrl(site, keyFile(signer))}`)),
    "<style>",
    "body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font-family: sans-serif; line-height: 1.5 }",
    "table { border-collapse: collapse } th, td { padding: 0.2rem 1rem 0.2rem 0; text-align: left } code { overflow-wrap: anywhere }",
    "</style>",
    "</head>",
    "<body>",
    `<h1>${escapeHtml(name)}</h1>`,
    ...(own.length > 0 ? imageTable(site, own) : []),
    ...(below.length > 0 ? nameList(below) : []),
    ...(signers.length > 0 ? keyList(site, name, signers) : []),
    "</body>",
    "</html>",
    "",
  ];
  return lines.join("\n");
}

function meta(name: string, content: string): string {
  return `<meta name="${name}" content="${escapeHtml(content)}">`;
}

function imageTable(site: SiteAddress, images: readonly CatalogueImage[]): readonly string[] {
  const cell = (text: string | undefined): string => `<td>${escapeHtml(text ?? "")}</td>`;
  const link = (file: string, text: string): string => `<a href="${escapeHtml(fileUrl(site, file))}">${text}</a>`;
  return [
    "<table>",
    "<tr><th>version<th>os<th>arch<th>bytes<th>image<th>signature</tr>",
    ...images.map(
      ({ version = latestVersion, os, arch, size, file, signers }) =>
        `<tr>${cell(version)}${cell(os)}${cell(arch)}${cell(String(size))}<td>${link(file, "aci")}</td>` +
        `<td>${signers === undefined ? "none" : link(`${file}.asc`, "asc")}</td></tr>`,
    ),
    "</table>",
  ];
}

function nameList(names: readonly string[]): readonly string[] {
  const item = (name: string): string => `<li><a href="https://${escapeHtml(name)}">${escapeHtml(name)}</a></li>`;
  return ["<h2>Images</h2>", "<ul>", ...names.map(item), "</ul>"];
}

function keyList(site: SiteAddress, name: string, signers: readonly string[]): readonly string[] {
  const item = (signer: string): string => {
    const spaced = signer.replace(/(.{4})(?=.)/g, "$1 ");
    const command = `perigee trust --prefix ${name} --fingerprint ${signer}`;
    return `<li><a href="${escapeHtml(fileUrl(site, keyFile(signer)))}">${spaced}</a><br><code>${escapeHtml(command)}</code></li>`;
  };
  return ["<h2>Keys</h2>", "<ul>", ...signers.map(item), "</ul>"];
}
