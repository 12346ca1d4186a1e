/** What a pod directory says of its networks, in `net/`: written before the first plugin is called, so that whoever finds it can undo all of it (NET-20). */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { errnoOf, Failure } from "../base/failure.ts";
import { isObject } from "../base/objects.ts";
import { readStateFile, readStateText } from "../base/state-file.ts";
import type { Attachment, PortMapping, RuntimeConfig } from "./chain.ts";
import { type JsonObject, storedList } from "./config.ts";
import { type NetworkResult, readResult } from "./result.ts";

export interface PodNetworks {
  /** By which pods of its networks find it. */
  readonly names: readonly string[];
  readonly attachments: readonly Attachment[];
  readonly pluginDirectories: readonly string[];
}

export interface AttachedNetwork {
  readonly network: string;
  readonly ifName: string;
  readonly addresses: readonly string[];
  readonly gateways: readonly string[];
  readonly mac?: string | undefined;
}

const directoryOf = (pod: string): string => join(pod, "net");
const intentOf = (pod: string): string => join(directoryOf(pod), "networks");
const resultOf = (pod: string, index: number): string => join(directoryOf(pod), `result-${index}`);

/** Relative to the pod directory: what the program of a teardown reads; gone when it was done. */
export function teardownFile(attachment: number, plugin: number): string {
  return `net/del-${attachment}-${plugin}`;
}

/** Replaces a small file so that whoever reads it finds the old or the new one, whole. */
export function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function writeIntent(pod: string, { names, attachments, pluginDirectories }: PodNetworks): void {
  mkdirSync(directoryOf(pod), { mode: 0o700 });
  const document = {
    names,
    pluginDirectories,
    attachments: attachments.map(({ list, ...rest }) => ({
      ...rest,
      list: { ...list, plugins: list.plugins.map(({ fields }) => fields) },
    })),
  };
  replaceFile(intentOf(pod), `${JSON.stringify(document)}\n`);
}

/** What a plugin answered, and what its end will be told: as soon as it is known. */
export function writeResult(pod: string, index: number, { raw }: NetworkResult, inputs: readonly JsonObject[]): void {
  inputs.forEach((input, plugin) => {
    writeFileSync(join(pod, teardownFile(index, plugin)), JSON.stringify(input), { mode: 0o600 });
  });
  writeFileSync(resultOf(pod, index), JSON.stringify(raw), { mode: 0o600 });
}

/** Undefined for a pod that has none of its own. @throws Failure CONFIG_INVALID for what is damaged */
export function readIntent(pod: string): PodNetworks | undefined {
  const path = intentOf(pod);
  const file = readStateFile(path);
  if ("problem" in file) {
    if (file.problem === "missing" || file.problem === "not a regular file") return undefined;
    throw damaged(path, file.problem);
  }
  try {
    const value: unknown = JSON.parse(file.bytes.toString("utf8"));
    if (!isObject(value)) throw damaged(path, "not an object");
    const { names, pluginDirectories, attachments } = value;
    if (!Array.isArray(pluginDirectories) || !Array.isArray(attachments)) throw damaged(path, "without its lists");
    return {
      names: Array.isArray(names) ? names.map(String) : [],
      pluginDirectories: pluginDirectories.map(String),
      attachments: attachments.map(readAttachment),
    };
  } catch (error) {
    throw error instanceof Failure ? error : damaged(path, "not what perigee wrote");
  }
}

function damaged(path: string, problem: string): Failure {
  return new Failure("CONFIG_INVALID", `what networks the pod is in cannot be read: ${path} is ${problem}`, {
    subject: path,
  });
}

function readAttachment(value: unknown): Attachment {
  if (!isObject(value) || !isObject(value["list"]) || !Array.isArray(value["args"])) throw new Error("no attachment");
  return {
    list: storedList(value["list"]),
    network: String(value["network"]),
    ifName: String(value["ifName"]),
    args: value["args"].map((pair: unknown) => (Array.isArray(pair) ? [String(pair[0]), String(pair[1])] : ["", ""])),
    runtime: isObject(value["runtime"]) ? (value["runtime"] as RuntimeConfig) : {},
  };
}

export function readPodResult(pod: string, index: number): NetworkResult | undefined {
  const text = readStateText(resultOf(pod, index));
  try {
    const value: unknown = text === undefined ? undefined : JSON.parse(text);
    return isObject(value) ? readResult(value, "recorded") : undefined;
  } catch {
    return undefined;
  }
}

/** Whether something is left to undo: a plugin whose end was not seen, or one that may have been called and did not answer. */
export function isToBeUndone(pod: string, { attachments }: PodNetworks): boolean {
  const names = namesIn(directoryOf(pod));
  return names.some((name) => /^del-/.test(name)) || attachments.some((_, index) => !names.includes(`result-${index}`));
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** Everything was undone. */
export function forget(pod: string): void {
  rmSync(directoryOf(pod), { recursive: true, force: true });
}

/** A pod as others of its networks, and who looks at it, see it. */
export interface NetworkedPod {
  readonly uuid: string;
  readonly names: readonly string[];
  readonly networks: readonly AttachedNetwork[];
  /** Ports of the host that lead to it. */
  readonly ports: readonly PortMapping[];
}

/** Undefined for a pod without networks of its own, with damaged ones, and for one whose networks were undone. */
export function lookAtNetworks(pod: string): NetworkedPod | undefined {
  const intent = lookAtIntent(pod);
  if (intent === undefined || !isToBeUndone(pod, intent)) return undefined;
  return {
    uuid: basename(pod),
    names: intent.names,
    networks: networksIn(pod, intent),
    ports: intent.attachments.flatMap(({ runtime }) => runtime.portMappings ?? []),
  };
}

/** What a pod has, or had, of addresses. */
export function attachedNetworks(pod: string): readonly AttachedNetwork[] | undefined {
  const intent = lookAtIntent(pod);
  return intent === undefined ? undefined : networksIn(pod, intent);
}

function networksIn(pod: string, { attachments }: PodNetworks): readonly AttachedNetwork[] {
  return attachments.map(({ network, ifName }, index) => {
    const result = readPodResult(pod, index);
    const addresses = result?.addresses ?? [];
    return {
      network,
      ifName,
      addresses: addresses.map(({ address }) => address),
      gateways: addresses.flatMap(({ gateway }) => gateway ?? []),
      mac: result?.mac,
    };
  });
}

function lookAtIntent(pod: string): PodNetworks | undefined {
  try {
    // Most pods have none, and a list of hundreds asks each.
    return existsSync(directoryOf(pod)) ? readIntent(pod) : undefined;
  } catch {
    return undefined;
  }
}
