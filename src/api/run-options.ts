/** What run, prepare and plan take: everything as the user typed it; each piece is parsed by the module that owns its form. */
import type { NameFlags } from "../net/name-files.ts";
import type { AppRequest } from "../pod/manifest.ts";

/** One image and its per-app flags. */
export interface RunApp extends Omit<AppRequest, "image" | "mounts"> {
  /** An image reference. */
  readonly image: string;
  /** Path of a detached signature, for an image from a file or URL. */
  readonly signature?: string | undefined;
  /** `volume=NAME,target=PATH` */
  readonly mounts?: readonly string[] | undefined;
}

export interface RunOptions extends NameFlags {
  readonly apps: readonly RunApp[];
  /** Path of a pod manifest that says all that `apps`, volumes, mounts and variables would; those are empty then. */
  readonly podManifest?: string | undefined;
  /** `none` (default), `host`, `all`, or names of networks, each with its arguments: `default,back:IP=10.1.2.3`. */
  readonly network?: string | readonly string[] | undefined;
  /** `NAME:[HOSTIP:]HOSTPORT[/PROTOCOL]` */
  readonly ports?: readonly string[] | undefined;
  /** Further names of the pod in its networks. */
  readonly netAliases?: readonly string[] | undefined;
  readonly hostname?: string | undefined;
  /** `container`, `conmon` or `ignore`: who says when the pod is ready; default: the apps whose images say that they do. */
  readonly sdnotify?: string | undefined;
  /** By which the pod is found instead of its uuid. */
  readonly podName?: string | undefined;
  /** false: the pod shares the host's user ids. */
  readonly privateUsers?: boolean | undefined;
  /** false: the tree is copied. */
  readonly overlay?: boolean | undefined;
  /** A terminal of its own for the only app. */
  readonly interactive?: boolean | undefined;
  /** AC_METADATA_URL leads the apps to the metadata service. */
  readonly metadata?: boolean | undefined;
  readonly pullPolicy?: "new" | "never" | "update" | undefined;
  /** An image older than what its name brought before is taken (T-D12). */
  readonly allowRollback?: boolean | undefined;
  /** `NAME,kind=…` */
  readonly volumes?: readonly string[] | undefined;
  /** For every app. */
  readonly mounts?: readonly string[] | undefined;
  readonly inheritEnvironment?: boolean | undefined;
  /** `K=V` for every app. */
  readonly setEnvironment?: readonly string[] | undefined;
  /** Files of `K=V` lines, for every app. */
  readonly environmentFiles?: readonly string[] | undefined;
  readonly allowSymlinkSources?: boolean | undefined;
  /** Processes and threads of the pod, instead of 2048. */
  readonly pidsLimit?: string | undefined;
  /** appc's capabilities and no-new-privileges where an app says nothing (ISO-15). */
  readonly appcDefaults?: boolean | undefined;
  /** What would be ignored or changed of image, manifest and flags is refused (ISO-13). */
  readonly strict?: boolean | undefined;
  /** Gets the uuid as soon as the pod directory is there. */
  readonly uuidFile?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}
