/** What the user typed for an image (rkt-and-appc.md 1.4). Decides by the text, and by whether a file of that name is there. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { excerpt, Failure, printable } from "../base/failure.ts";
import { type OciReference, parseOciReference } from "../oci/reference.ts";
import { isACIdentifier } from "../schema/grammar.ts";
import type { ACIdentifier } from "../schema/names.ts";

export type Reference =
  | { readonly kind: "id"; readonly prefix: string }
  | {
      readonly kind: "name";
      readonly name: ACIdentifier;
      readonly labels: readonly { readonly name: string; readonly value: string }[];
    }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "oci"; readonly oci: OciReference };

/**
 * An image ID (`sha512-…`), a name with labels, the URL of an .aci, a file, whose path is made absolute, or an image of Docker or OCI (OCI-1).
 * @throws Failure USAGE
 */
export function parseReference(text: string): Reference {
  if (/^sha512-[0-9a-fA-F]+$/.test(text)) return { kind: "id", prefix: text.toLowerCase() };
  const oci = parseOciReference(text);
  if (oci !== undefined) return { kind: "oci", oci };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined) return parseUrl(text, scheme);
  return isPath(text) ? { kind: "file", path: resolve(text) } : parseImageName(text);
}

/** NAME[:VERSION][,label=value…]: one colon, right behind the name; values are taken literally. @throws Failure USAGE */
export function parseImageName(text: string): Extract<Reference, { kind: "name" }> {
  const [head = "", ...pairs] = text.split(",");
  const [name = "", version, ...rest] = head.split(":");
  if (rest.length > 0 || pairs.some((pair) => pair.includes(":"))) {
    throw nameRefusal(text, "a colon may stand only once, between name and version");
  }
  if (!isACIdentifier(name)) throw nameRefusal(text, nameProblem(name));
  const labels = pairs.map((pair) => parseLabel(text, pair));
  if (version === "") throw nameRefusal(text, "the version behind the colon is missing");
  if (version !== undefined) labels.unshift({ name: "version", value: version });
  const seen = new Set<string>();
  for (const label of labels) {
    if (seen.has(label.name)) throw nameRefusal(text, `the label ${label.name} is given twice`);
    seen.add(label.name);
  }
  return { kind: "name", name, labels };
}

function parseLabel(text: string, pair: string): { readonly name: string; readonly value: string } {
  const at = pair.indexOf("=");
  const name = pair.slice(0, at);
  const value = pair.slice(at + 1);
  if (at < 1 || value === "") throw nameRefusal(text, `${JSON.stringify(pair)} is not LABEL=VALUE`);
  if (!isACIdentifier(name)) throw nameRefusal(text, `${JSON.stringify(name)} is not a label name (TYPE-1)`);
  // ACI-26: the name is not a label.
  if (name === "name") throw nameRefusal(text, 'no label is called "name"');
  return { name, value };
}

function parseUrl(text: string, scheme: string): Reference {
  if (!["http", "https", "file"].includes(scheme)) {
    throw new Failure("USAGE", `${excerpt(text)}: images are fetched from https, http and file URLs only`);
  }
  if (!URL.canParse(text)) throw new Failure("USAGE", `${excerpt(text)} is not a URL`);
  const url = new URL(text);
  // In a URL they would reach the process list, logs and the store (T-D04).
  if (url.username !== "" || url.password !== "") {
    throw new Failure("USAGE", `${excerpt(text)} holds credentials, which a URL must not`);
  }
  if (!url.pathname.endsWith(".aci")) {
    throw new Failure("USAGE", `${excerpt(text)} does not end in .aci`, {
      hint: "give the URL of the archive itself, or the image's name for discovery",
    });
  }
  if (scheme !== "file") return { kind: "url", url: url.href };
  if (url.host !== "" || /%2f|%00/i.test(url.pathname)) {
    throw new Failure("USAGE", `${excerpt(text)} does not name a file of this machine`);
  }
  return { kind: "file", path: fileURLToPath(url) };
}

function isPath(text: string): boolean {
  if (text.startsWith("/") || text.includes("./")) return true;
  if (statSync(text, { throwIfNoEntry: false })?.isFile()) return true;
  return text.endsWith(".aci") && !text.includes(":");
}

function nameProblem(name: string): string {
  if (name === "") return "the name is missing";
  if (/[A-Z]/.test(name)) return "image names are lower-case";
  return "names are lower-case letters and digits, separated by one of - . _ ~ / (TYPE-1)";
}

function nameRefusal(text: string, why: string): Failure {
  return new Failure("USAGE", `${JSON.stringify(excerpt(text))} is not an image: ${why}`, {
    subject: printable(text),
    hint: "an image is NAME[:VERSION][,label=value…], an ID, a URL that ends in .aci, or a file such as ./web.aci",
  });
}
