/**
 * That a pod asked for the metadata service: a file of its directory, so that a service started later answers it, too, and the URL its apps
 * are given. Knows no socket.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readStateFile } from "../base/state-file.ts";

/** Of rkt's service. */
export const defaultPort = 18_112;

export interface Registration {
  /** 32 lower-case hex digits (ACE-60). */
  readonly token: string;
  /** Of 127.0.0.1: in the pod's own network, else in the host's, where the service itself listens. */
  readonly port: number;
  readonly isHost: boolean;
}

/** 128 bits of the kernel's, from two random uuids without the digits that are always the same: node:crypto takes milliseconds to load. */
export function newToken(): string {
  return `${randomDigits()}${randomDigits()}`.slice(0, 32);
}

/** 30 of them. */
function randomDigits(): string {
  const digits = readFileSync("/proc/sys/kernel/random/uuid", "latin1").trim().replaceAll("-", "");
  return `${digits.slice(0, 12)}${digits.slice(13, 16)}${digits.slice(17)}`;
}

/** The value of AC_METADATA_URL. */
export function urlOf({ token, port }: Registration): string {
  return `http://127.0.0.1:${port}/${token}`;
}

/** `directory` is that of a pod which the caller holds. */
export function writeRegistration(directory: string, registration: Registration): void {
  writeFileSync(fileOf(directory), `${JSON.stringify(registration)}\n`, { mode: 0o600 });
}

/** Undefined for a pod that did not ask, or whose file is damaged. */
export function readRegistration(directory: string): Registration | undefined {
  const file = readStateFile(fileOf(directory));
  if ("problem" in file) return undefined;
  try {
    const value: Partial<Registration> = JSON.parse(file.bytes.toString("utf8"));
    const { token, port, isHost } = value;
    const isWhole =
      typeof token === "string" &&
      /^[0-9a-f]{32}$/.test(token) &&
      Number.isInteger(port) &&
      typeof isHost === "boolean";
    return isWhole && port !== undefined ? { token, port, isHost } : undefined;
  } catch {
    return undefined;
  }
}

function fileOf(directory: string): string {
  return join(directory, "metadata");
}
