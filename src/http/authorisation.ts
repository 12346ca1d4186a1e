/**
 * Who we are to a server: the headers for a request, from credentials that belong to one origin (DISC-11). Pure but for the clock
 * it is given; knows no files and no connection.
 */
import { createHash, createHmac } from "node:crypto";

export type Credentials =
  | { readonly kind: "basic"; readonly user: string; readonly password: string }
  | { readonly kind: "bearer"; readonly token: string }
  | {
      readonly kind: "aws";
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      /** Guessed from the host when absent. */
      readonly region?: string | undefined;
    };

/** Credentials by host, as it stands in an https URL: `example.com`, `example.com:8443`. */
export type CredentialsByHost = ReadonlyMap<string, Credentials>;

/** How a URL would write the host of `https://DOMAIN`; undefined when that is no host with at most a port. */
export function hostOfDomain(domain: string): string | undefined {
  const text = `https://${domain}/`;
  if (/[\s/\\?#@]/.test(domain) || !URL.canParse(text)) return undefined;
  const { host, pathname } = new URL(text);
  return host === "" || pathname !== "/" ? undefined : host;
}

/** The credentials for the origin of `url`; never for http, where everybody on the way could read them (T-D04). */
export function credentialsFor(credentials: CredentialsByHost, url: URL): Credentials | undefined {
  return url.protocol === "https:" ? credentials.get(url.host) : undefined;
}

export interface SignedRequest {
  readonly method: string;
  readonly url: URL;
  /** Headers that are sent; a range is signed too. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The headers that `credentials` add to a request. */
export function authorise(
  credentials: Credentials,
  request: SignedRequest,
  now: Date,
): Readonly<Record<string, string>> {
  if (credentials.kind === "bearer") return { Authorization: `Bearer ${credentials.token}` };
  if (credentials.kind === "aws") return signatureVersion4(credentials, request, now);
  const pair = Buffer.from(`${credentials.user}:${credentials.password}`, "utf8").toString("base64");
  return { Authorization: `Basic ${pair}` };
}

const emptyDigest = createHash("sha256").digest("hex");

/** AWS Signature Version 4 for S3: a request without a body, signed with its host, time and range. */
function signatureVersion4(
  { accessKeyId, secretAccessKey, region: named }: Extract<Credentials, { kind: "aws" }>,
  { method, url, headers }: SignedRequest,
  now: Date,
): Readonly<Record<string, string>> {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const region = named ?? regionOf(url.hostname);
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
  const signed = new Map([
    ["host", url.host],
    ["x-amz-content-sha256", emptyDigest],
    ["x-amz-date", time],
  ]);
  const range = headers["Range"];
  if (range !== undefined) signed.set("range", range);
  const names = [...signed.keys()].sort();
  const canonical = [
    method,
    canonicalPath(url.pathname),
    canonicalQuery(url.searchParams),
    ...names.map((name) => `${name}:${signed.get(name)}`),
    "",
    names.join(";"),
    emptyDigest,
  ].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope, createHash("sha256").update(canonical).digest("hex")].join("\n");
  const key = scope
    .split("/")
    .reduce<string | Buffer>((previous, part) => hmac(previous, part), `AWS4${secretAccessKey}`);
  const signature = hmac(key, text).toString("hex");
  return {
    "x-amz-content-sha256": emptyDigest,
    "x-amz-date": time,
    Authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope},SignedHeaders=${names.join(";")},Signature=${signature}`,
  };
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** `s3.REGION.amazonaws.com` and `s3-REGION.amazonaws.com`, a bucket before them or not; else the first of all regions. */
function regionOf(host: string): string {
  return (
    /(?:^|\.)s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?$/.exec(host)?.[1] ?? "us-east-1"
  );
}

/** The path is encoded once, whatever the URL had encoded already. */
function canonicalPath(path: string): string {
  return path
    .split("/")
    .map((part) => encode(decodeLoosely(part)))
    .join("/");
}

function canonicalQuery(query: URLSearchParams): string {
  const pairs = [...query].map(([name, value]) => [encode(name), encode(value)] as const);
  return pairs
    .sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function decodeLoosely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
