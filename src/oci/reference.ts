/** References to Docker and OCI images: `docker://`, `oci:`, `oci-archive:`, `docker-archive:` (OCI-1, OCI-2). Text only; looks at no file. */
import { resolve } from "node:path";
import { excerpt, Failure, printable } from "../base/failure.ts";
import { isACIdentifier } from "../schema/grammar.ts";
import { type Digest, isDigest } from "./digest.ts";

export interface RegistryReference {
  readonly from: "registry";
  /** HOST or HOST:PORT, lower-case; `docker.io` for names without one. */
  readonly host: string;
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

export interface LocalReference {
  readonly from: "layout" | "oci-archive" | "docker-archive";
  /** Absolute. */
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

export type OciReference = RegistryReference | LocalReference;

/** What a name without a host means, by the definition of such names (OCI-1). */
export const defaultHost = "docker.io";
const transports: ReadonlyMap<string, LocalReference["from"]> = new Map([
  ["oci", "layout"],
  ["oci-archive", "oci-archive"],
  ["docker-archive", "docker-archive"],
]);

const part = "[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*";
const repositoryForm = new RegExp(`^${part}(?:/${part})*$`);
const hostForm =
  /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/;
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const longestRepository = 255;

export function isRepository(text: string): boolean {
  return text.length <= longestRepository && repositoryForm.test(text);
}

export function isTag(text: string): boolean {
  return tagForm.test(text);
}

/** Undefined when the text does not begin like one. @throws Failure USAGE for one that is broken */
export function parseOciReference(text: string): OciReference | undefined {
  const scheme = /^([a-z-]+):/i.exec(text)?.[1]?.toLowerCase() ?? "";
  const rest = text.slice(scheme.length + 1);
  if (scheme === "docker") return parseRegistry(text, rest);
  const from = transports.get(scheme);
  return from === undefined ? undefined : parseLocal(text, from, rest);
}

function parseRegistry(text: string, rest: string): RegistryReference {
  if (rest.slice(0, 2) !== "//") throw refusal(text, "two slashes stand behind docker:");
  const { name, tag, digest } = splitName(text, rest.slice(2));
  const [first = "", ...others] = name.split("/");
  const hasHost = others.length > 0 && (/[.:[]/.test(first) || first === "localhost");
  const host = (hasHost ? first : defaultHost).toLowerCase();
  const path = hasHost ? others.join("/") : name;
  const isHub = host === defaultHost || host === `index.${defaultHost}`;
  const repository = isHub && !path.includes("/") ? `library/${path}` : path;
  if (!hostForm.test(host)) throw refusal(text, `${excerpt(host)} is no registry host`);
  if (!isRepository(repository)) {
    throw refusal(text, `${excerpt(path)} is no repository: lower-case letters and digits, separated by . _ __ - or /`);
  }
  return { from: "registry", host: isHub ? defaultHost : host, repository, ...orLatest({ tag, digest }) };
}

/** A name with neither means the tag `latest`; one with both is pinned by its digest. */
function orLatest({
  tag,
  digest,
}: Pick<RegistryReference, "tag" | "digest">): Pick<RegistryReference, "tag" | "digest"> {
  return { tag: tag ?? (digest === undefined ? "latest" : undefined), digest };
}

function splitName(text: string, rest: string) {
  const { before, digest } = splitDigest(text, rest);
  const colon = before.indexOf(":", before.lastIndexOf("/") + 1);
  const tag = colon < 0 ? undefined : before.slice(colon + 1);
  if (tag !== undefined && !isTag(tag)) throw refusal(text, `${excerpt(tag)} is no tag`);
  return { name: colon < 0 ? before : before.slice(0, colon), tag, digest };
}

function splitDigest(text: string, rest: string): { readonly before: string; readonly digest: Digest | undefined } {
  const at = rest.lastIndexOf("@");
  const word = rest.slice(at + 1);
  if (at < 0) return { before: rest, digest: undefined };
  if (!isDigest(word)) throw refusal(text, `${excerpt(word)} is no digest: sha256: and 64 lower-case hex digits`);
  return { before: rest.slice(0, at), digest: word };
}

/** As the other tools read it: the path ends at the first colon, and what is behind it may be a whole image name. */
function parseLocal(text: string, from: LocalReference["from"], rest: string): LocalReference {
  const hasPin = /@sha(?:256|512):[0-9a-f]+$/.test(rest);
  const { before, digest } = hasPin ? splitDigest(text, rest) : { before: rest, digest: undefined };
  const colon = before.indexOf(":");
  const path = colon < 0 ? before : before.slice(0, colon);
  const tag = colon < 0 ? undefined : before.slice(colon + 1);
  if (path === "" || path.includes("\0")) throw refusal(text, "the path is missing");
  if (tag === "") throw refusal(text, "the name behind the colon is missing");
  return { from, path: resolve(path), tag, digest };
}

/** One spelling for each image, which also says where a stored image came from. */
export function showOciReference(reference: OciReference): string {
  const { tag, digest } = reference;
  const end = `${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
  if (reference.from === "registry") return `docker://${reference.host}/${reference.repository}${end}`;
  return `${reference.from === "layout" ? "oci" : reference.from}:${reference.path}${end}`;
}

/** A name in appc's letters (OCI-31): what is not one of them becomes one separator. */
export function identifierOf(name: string): string {
  const parts = name.toLowerCase().split("/");
  const clean = parts.map((part) => part.replace(/[^a-z0-9]+/g, separatorOf).replace(/^[-._~]|[-._~]$/g, ""));
  const identifier = clean.filter((part) => part !== "").join("/");
  return isACIdentifier(identifier) ? identifier : "image";
}

function separatorOf(run: string): string {
  return /^[-._~]$/.test(run) ? run : run[0] === "-" ? "-" : "_";
}

/** What the image of a registry is called in the store; undefined for images that have their name inside. */
export function storedNameOf(reference: OciReference): string | undefined {
  return reference.from === "registry" ? identifierOf(`${reference.host}/${reference.repository}`) : undefined;
}

function refusal(text: string, why: string): Failure {
  return new Failure("USAGE", `${excerpt(text)} is not an image: ${why}`, {
    subject: printable(text),
    hint: "docker://[HOST/]NAME[:TAG|@DIGEST], oci:DIRECTORY[:TAG], oci-archive:FILE or docker-archive:FILE",
  });
}
