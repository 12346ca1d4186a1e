/** What an image of ours is called where names are those of Docker and OCI (OCI-84). Pure. */
import { isRepository, isTag } from "./reference.ts";

export interface NamedImage {
  readonly name: string;
  readonly labels: readonly { readonly name: string; readonly value: string }[];
}

export interface OutgoingName {
  /** Undefined when nothing like a repository can be made of it. */
  readonly repository: string | undefined;
  readonly tag: string;
}

const longestTag = 128;

/** The name, with `-` for what no repository has; the version as tag, with `_` for what no tag has; `latest` without one. */
export function outgoingName({ name, labels }: NamedImage): OutgoingName {
  const repository = name.replaceAll("~", "-");
  const version = labels.find((label) => label.name === "version")?.value ?? "";
  const tag = version.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, longestTag);
  return { repository: isRepository(repository) ? repository : undefined, tag: isTag(tag) ? tag : "latest" };
}

/** `NAME:TAG`, as `docker load` and `podman load` call what they find. */
export function loadedName({ repository, tag }: OutgoingName): string | undefined {
  return repository === undefined ? undefined : `${repository}:${tag}`;
}
