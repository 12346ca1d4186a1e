/** The certificates of --ca-file and NODE_EXTRA_CA_CERTS. Whom TLS trusts besides, and for what, is not known here. */
import { X509Certificate } from "node:crypto";
import { Failure, messageOf } from "../base/failure.ts";
import { readIfExists } from "../base/files.ts";
import type { Log } from "../base/log.ts";

export interface AuthorityFiles {
  readonly caFiles: readonly string[];
  /** As caFiles, but a file that cannot be read is only warned about (NODE_EXTRA_CA_CERTS). */
  readonly extraCaFiles?: readonly string[] | undefined;
  readonly log: Log;
}

/** Every certificate of the files, as PEM. @throws Failure NOT_FOUND, CONFIG_INVALID of one of `caFiles` */
export async function readAuthorities({ caFiles, extraCaFiles = [], log }: AuthorityFiles): Promise<readonly string[]> {
  const authorities: string[] = [];
  for (const path of caFiles) authorities.push(...(await readCertificates(path)));
  for (const path of extraCaFiles) {
    try {
      authorities.push(...(await readCertificates(path)));
    } catch (error) {
      log.warn(`certificates ignored: ${messageOf(error)}`);
    }
  }
  return authorities;
}

async function readCertificates(path: string): Promise<readonly string[]> {
  const bytes = await readIfExists(path);
  if (bytes === undefined) throw new Failure("NOT_FOUND", `the CA file ${path} is not there`, { subject: path });
  const certificates = bytes.toString("latin1").match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  const isValid = (pem: string) => {
    try {
      return new X509Certificate(pem).raw.length > 0;
    } catch {
      return false;
    }
  };
  if (certificates === null || !certificates.every(isValid)) {
    throw new Failure("CONFIG_INVALID", `${path} holds no valid PEM certificate`, {
      subject: path,
      hint: "a CA file starts with -----BEGIN CERTIFICATE-----",
    });
  }
  return certificates;
}
