/** What both forms of a bill of materials share: whose it is, its time, its identity, its bytes. */
import { createHash } from "node:crypto";
import type { Inventory } from "./package.ts";

/** The image that is described. */
export interface Subject {
  readonly name: string;
  readonly version?: string | undefined;
  /** `sha512-` and 128 digits; absent in the document that is stored beside an image, whose manifest names that document (SBOM-7). */
  readonly id?: string | undefined;
  readonly dependencies: readonly DependencyImage[];
  /** Seconds; absent when nothing says when the image was made (SBOM-6). */
  readonly created?: number | undefined;
}

export interface DependencyImage {
  readonly name: string;
  readonly version?: string | undefined;
  readonly id?: string | undefined;
}

export interface DocumentOptions {
  readonly subject: Subject;
  readonly inventory: Inventory;
  /** Of perigee. */
  readonly toolVersion: string;
}

/** A UUID (version 8, RFC 9562) that follows from what the document says, so that the same document has the same one everywhere. */
export function contentUuid(value: unknown): string {
  const bytes = createHash("sha512").update(JSON.stringify(value)).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** RFC 3339 in whole seconds, UTC. */
export function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}

/** Foreign text as one line. */
export function oneLine(text: string, limit = 1024): string {
  return wellFormed(text.replace(/\s+/g, " ").trim().slice(0, limit));
}

/** Without halves of surrogate pairs, which no strict reader of JSON takes. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** `url` if it is an address a reader may be sent to, in the form that URL gives it. */
export function webAddress(url: string | undefined): string | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined;
  const { protocol, href, username, password } = new URL(url);
  return /^https?:$/.test(protocol) && username === "" && password === "" ? href : undefined;
}

/** `Name <mail>` apart. */
export function person(text: string): { readonly name: string; readonly email?: string | undefined } {
  const [, before = "", email] = /^([^<]*)<([^<>\s@]+@[^<>\s@]+)>$/.exec(oneLine(text)) ?? [];
  const name = before.trim();
  return name === "" ? { name: oneLine(text) } : { name, email };
}

/** The bytes of a document: two blanks of indentation, and no character that would repaint a terminal (T-R47). */
export function documentText(document: unknown): string {
  const text = JSON.stringify(document, undefined, 2).replace(
    /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `${text}\n`;
}
