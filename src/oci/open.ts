/** The source that a reference names. Registries are loaded only when one is asked. */
import type { Log } from "../base/log.ts";
import type { HttpClient } from "../http/client.ts";
import { openDockerArchive } from "./docker-archive.ts";
import { archiveFiles, directoryFiles, type FileSet } from "./files.ts";
import { openLayout } from "./layout.ts";
import type { LocalReference, OciReference, RegistryReference } from "./reference.ts";
import type { Endpoint, RegistrySettings } from "./registries.ts";
import type { OciSource } from "./source.ts";

export interface SourceOptions {
  readonly http: () => Promise<HttpClient>;
  readonly insecureHttp: boolean;
  readonly registries: RegistrySettings;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/** @throws Failure NOT_FOUND, AMBIGUOUS, IMAGE_INVALID, ARCHIVE_INVALID; HTTP_FAILED, TLS_FAILED, TIMED_OUT of a registry */
export async function openSource(reference: OciReference, options: SourceOptions): Promise<OciSource> {
  if (reference.from === "registry") {
    return await openMirrored(reference, options);
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

/** The mirrors of the registry, and it itself behind them. */
async function openMirrored(reference: RegistryReference, options: SourceOptions): Promise<OciSource> {
  const [{ openRegistry }, { credentialsFor, showEndpoint }] = await Promise.all([
    import("./registry.ts"),
    import("./registries.ts"),
  ]);
  const { registries, insecureHttp, log, signal } = options;
  const openAt = async (endpoint: Endpoint): Promise<OciSource> => {
    const repository = `${endpoint.prefix}${reference.repository}`;
    const credentials = () => credentialsFor(endpoint.host, repository, registries, { log, signal });
    const http = await options.http();
    return await openRegistry(reference, { endpoint, http, insecureHttp, credentials, log, signal });
  };
  const own = { host: reference.host, prefix: "" };
  const mirrors = (await registries.mirrors()).get(reference.host) ?? [];
  if (mirrors.length === 0) return await openAt(own);
  const { openFirst } = await import("./mirrors.ts");
  const places = [...mirrors, own].map((endpoint) => ({ name: showEndpoint(endpoint), open: () => openAt(endpoint) }));
  const { host, repository, tag, digest } = reference;
  return openFirst(places, { imageName: `${host}/${repository}`, tag, digest }, log);
}
