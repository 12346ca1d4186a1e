/** The config of an image: what Docker and OCI say about how it runs. Checked as far as it is used; what is unknown stays in the bytes. */

import { Failure } from "../base/failure.ts";
import { isObject } from "../base/objects.ts";
import { parseStrictJson } from "../schema/strict-json.ts";
import { type Digest, parseDigest } from "./digest.ts";
import { fieldsOf, invalid, listOf, mostLayers, text, textsOf } from "./documents.ts";
import type { Platform } from "./platform.ts";

export interface ImageConfig {
  readonly platform: Platform;
  /** Of the uncompressed layers, lowest first. */
  readonly diffIds: readonly Digest[];
  readonly author: string | undefined;
  readonly created: string | undefined;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly user: string | undefined;
  readonly environment: readonly string[];
  readonly workingDirectory: string | undefined;
  readonly exposedPorts: readonly string[];
  readonly volumes: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
  readonly stopSignal: string | undefined;
  /** As it stands there. */
  readonly healthcheck: unknown;
}

/** Words of a command, variables, ports: more of them are a mistake or an attack. */
const mostItems = 10_000;

/** @throws Failure JSON_INVALID, IMAGE_INVALID, LIMIT_EXCEEDED */
export function parseConfig(bytes: Uint8Array, layers: number, subject: string): ImageConfig {
  const document = fieldsOf(parseStrictJson(bytes, subject), subject);
  const config = isObject(document["config"]) ? document["config"] : {};
  const [os, architecture] = [text(document["os"]), text(document["architecture"])];
  if (os === undefined || architecture === undefined)
    throw invalid(subject, "it does not say for which platform it is");
  return {
    platform: { os, architecture, variant: text(document["variant"]) },
    diffIds: parseDiffIds(document["rootfs"], layers, subject),
    author: text(document["author"]),
    created: text(document["created"]),
    entrypoint: wordsOf(config["Entrypoint"], `${subject}: Entrypoint`),
    command: wordsOf(config["Cmd"], `${subject}: Cmd`),
    user: text(config["User"]),
    environment: wordsOf(config["Env"], `${subject}: Env`),
    workingDirectory: text(config["WorkingDir"]),
    exposedPorts: keysOf(config["ExposedPorts"], `${subject}: ExposedPorts`),
    volumes: keysOf(config["Volumes"], `${subject}: Volumes`),
    labels: textsOf(config["Labels"]),
    stopSignal: text(config["StopSignal"]),
    healthcheck: config["Healthcheck"] ?? undefined,
  };
}

/** OCI-8: one for each layer, or nobody can tell what was unpacked. */
function parseDiffIds(rootfs: unknown, layers: number, subject: string): readonly Digest[] {
  const { diff_ids: ids } = fieldsOf(rootfs, `${subject}: rootfs`);
  const digests = listOf(ids ?? [], mostLayers, `${subject}: diff_ids`).map((id) => parseDigest(id, subject));
  if (digests.length === layers) return digests;
  throw invalid(subject, `it lists ${digests.length} layers, its manifest ${layers} (OCI-8)`);
}

/** Also the one word that old builders wrote in place of a list. */
function wordsOf(value: unknown, subject: string): readonly string[] {
  if (value === undefined || value === null) return [];
  const words = typeof value === "string" ? [value] : listOf(value, mostItems, subject);
  return words.map((word) => {
    if (typeof word === "string" && !word.includes("\0")) return word;
    throw new Failure("IMAGE_INVALID", `${subject} holds something else than text`, { subject });
  });
}

function keysOf(value: unknown, subject: string): readonly string[] {
  if (value === undefined || value === null) return [];
  return listOf(Object.keys(fieldsOf(value, subject)), mostItems, subject)
    .map(String)
    .sort();
}
