/** What this program is and what it runs on. */
import { release } from "node:os";
import { hostArch } from "../schema/platform.ts";

export interface VersionInfo {
  readonly version: string;
  /** Of the App Container specification that is implemented. */
  readonly appcVersion: string;
  readonly nodeVersion: string;
  /** Of the zlib inside of Node: what the bytes of a compressed image depend on. */
  readonly zlibVersion: string;
  readonly os: string;
  /** In appc's words, as in the label of an image. */
  readonly arch: string;
  readonly kernel: string;
}

/** The same as in package.json and in schema/; a test compares them, because loading those would cost at every start. */
const appcVersion = "0.8.11";
export const version = "0.1.0";

export function showVersion(): VersionInfo {
  return {
    version,
    appcVersion,
    nodeVersion: process.versions.node,
    zlibVersion: process.versions["zlib"] ?? "unknown",
    os: process.platform,
    arch: hostArch(process.arch),
    kernel: release(),
  };
}
