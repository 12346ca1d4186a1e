/** The source that a reference names. Registries are loaded only when one is asked. */
import type { Log } from "../base/log.ts";
import type { HttpClient } from "../http/client.ts";
import { openDockerArchive } from "./docker-archive.ts";
import { archiveFiles, directoryFiles, type FileSet } from "./files.ts";
import { openLayout } from "./layout.ts";
import type { LocalReference, OciReference } from "./reference.ts";
import type { OciSource } from "./source.ts";

export interface SourceOptions {
  readonly http: () => Promise<HttpClient>;
  readonly insecureHttp: boolean;
  /** Files with what registries know us by. */
  readonly credentialFiles: readonly string[];
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/** @throws Failure NOT_FOUND, AMBIGUOUS, IMAGE_INVALID, ARCHIVE_INVALID; HTTP_FAILED, TLS_FAILED, TIMED_OUT of a registry */
export async function openSource(reference: OciReference, options: SourceOptions): Promise<OciSource> {
  if (reference.from === "registry") {
    const [{ openRegistry }, { findCredentials }] = await Promise.all([
      import("./registry.ts"),
      import("./credentials.ts"),
    ]);
    const { credentialFiles, insecureHttp, log, signal } = options;
    const credentials = () => findCredentials(credentialFiles, reference.host, reference.repository);
    return await openRegistry(reference, { http: await options.http(), insecureHttp, credentials, log, signal });
  }
  const files = reference.from === "layout" ? directoryFiles(reference.path) : await archiveFiles(reference.path);
  try {
    return await openIn(files, reference);
  } catch (error) {
    await files.close();
    throw error;
  }
}

async function openIn(files: FileSet, reference: LocalReference): Promise<OciSource> {
  return reference.from === "docker-archive"
    ? await openDockerArchive(files, reference)
    : await openLayout(files, reference);
}
