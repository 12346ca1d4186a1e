/**
 * X.509 certificates of the local authority: its own and those of the server (RFC 5280, P-256). Made, never parsed.
 * Written here because the library for it costs half a second at each start and patches a global (spec/decisions.md).
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";
import { around, bits, type Der, inPlace, integer, octets, oid, sequence, set, time, utf8, yes } from "./der.ts";

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export interface Validity {
  readonly from: Date;
  readonly to: Date;
}

const ecdsaWithSha256 = sequence(oid("1.2.840.10045.4.3.2"));
const commonName = oid("2.5.4.3");
const keyUsage = { digitalSignature: 0, keyCertSign: 5, crlSign: 6 };

export function generateKey(): KeyPair {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" });
}

/** A certificate that may issue certificates of servers, but not of further authorities. PEM. */
export function selfSigned(name: string, key: KeyPair, validity: Validity): string {
  return issue({
    subject: name,
    publicKey: key.publicKey,
    issuer: { name, key },
    validity,
    extensions: [
      extension("2.5.29.19", sequence(yes, integer(Buffer.from([0]))), true),
      extension("2.5.29.15", bits([keyUsage.keyCertSign, keyUsage.crlSign]), true),
    ],
  });
}

/** A certificate of a TLS server that answers to `hosts`, DNS names and IP addresses. PEM. */
export function serverCertificate(
  hosts: readonly string[],
  publicKey: KeyObject,
  issuer: { readonly name: string; readonly key: KeyPair },
  validity: Validity,
): string {
  return issue({
    subject: "perigee serve",
    publicKey,
    issuer,
    validity,
    extensions: [
      extension("2.5.29.19", sequence(), true),
      extension("2.5.29.15", bits([keyUsage.digitalSignature]), true),
      extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.1"))),
      extension("2.5.29.17", sequence(...hosts.map(generalName))),
      extension("2.5.29.35", sequence(inPlace(0, keyId(issuer.key.publicKey)))),
    ],
  });
}

interface Issue {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly issuer: { readonly name: string; readonly key: KeyPair };
  readonly validity: Validity;
  readonly extensions: readonly Der[];
}

function issue({ subject, publicKey, issuer, validity, extensions }: Issue): string {
  const content = sequence(
    around(0, integer(Buffer.from([2]))), // version 3
    integer(randomBytes(16)),
    ecdsaWithSha256,
    nameOf(issuer.name),
    sequence(time(validity.from), time(validity.to)),
    nameOf(subject),
    publicKey.export({ type: "spki", format: "der" }),
    around(3, sequence(...extensions, extension("2.5.29.14", octets(keyId(publicKey))))),
  );
  const signature = sign("sha256", content, issuer.key.privateKey);
  return pem("CERTIFICATE", sequence(content, ecdsaWithSha256, bits(signature)));
}

function nameOf(text: string): Der {
  return sequence(set(sequence(commonName, utf8(text))));
}

function extension(id: string, content: Der, critical = false): Der {
  return sequence(oid(id), ...(critical ? [yes] : []), octets(content));
}

/** RFC 7093: the left 160 bits of a SHA-256. */
function keyId(publicKey: KeyObject): Buffer {
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest()
    .subarray(0, 20);
}

function generalName(host: string): Der {
  return isIP(host) === 0 ? inPlace(2, Buffer.from(host, "ascii")) : inPlace(7, addressBytes(host));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  // The URL parser writes every IPv6 address in one form, with dotted tails resolved.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const words = (text: string): readonly string[] => (text === "" ? [] : text.split(":"));
  const after = words(tail ?? "");
  const zeros = Array.from({ length: 8 - words(head).length - after.length }, () => "0");
  return Buffer.from([...words(head), ...zeros, ...after].map((word) => word.padStart(4, "0")).join(""), "hex");
}

export function pem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
