/** metadata-service: answers the pods of the data directory that asked for it, until it is told to stop or has nobody to answer. */
import { join } from "node:path";
import { Failure } from "../base/failure.ts";
import { readStateFile } from "../base/state-file.ts";
import type { DescribedPod } from "../metadata/answers.ts";
import { metadataDirectory } from "../metadata/places.ts";
import { defaultPort } from "../metadata/registration.ts";
import { MetadataService } from "../metadata/service.ts";
import { openStoreSync, type Store } from "../store/layout.ts";
import { readManifestSync } from "../store/lookup.ts";
import { isImageID } from "../store/records.ts";
import { requireRoot, type Settings } from "./settings.ts";

export interface MetadataServiceOptions {
  /** Of 127.0.0.1, for pods with the host's network; default 18112. */
  readonly port?: number | undefined;
  /** Ends when that long no pod that asked has run; 0 or undefined: never. */
  readonly idleSeconds?: number | undefined;
  readonly signal: AbortSignal;
  /** Called once it answers. */
  readonly onReady?: ((service: AnsweringService) => void) | undefined;
}

export interface AnsweringService {
  /** Where pods are registered; of the owner of the data directory alone. */
  readonly socket: string;
}

/** Resolves when it has ended. @throws Failure NOT_ROOT; LOCKED when there is one already; WRONG_STATE, IO_FAILED */
export async function serveMetadata(settings: Settings, options: MetadataServiceOptions): Promise<void> {
  requireRoot(settings, "metadata-service");
  const { data } = settings.directories;
  const store = openStoreSync(data);
  const service = await MetadataService.start({
    data,
    port: options.port ?? defaultPort,
    idleSeconds: options.idleSeconds ?? 0,
    descriptor: handedSocket(settings.environment),
    describe: (uuid, directory) => describe(store, uuid, directory),
    log: settings.log,
  });
  const stop = (): void => void service.close();
  options.signal.addEventListener("abort", stop, { once: true });
  if (options.signal.aborted) stop();
  options.onReady?.({ socket: join(metadataDirectory(data), "socket") });
  await service.ended;
}

/** The one descriptor of a socket unit, if this very process was started for it. @throws Failure USAGE for more than one */
function handedSocket(environment: ReadonlyMap<string, string>): number | undefined {
  if (environment.get("LISTEN_PID") !== String(process.pid)) return undefined;
  const count = environment.get("LISTEN_FDS");
  if (count === "1") return 3;
  throw new Failure("USAGE", `LISTEN_FDS is ${count}: the metadata service takes one socket`, {
    hint: "one ListenStream= in the socket unit",
  });
}

function describe(store: Store, uuid: string, directory: string): DescribedPod {
  const path = join(directory, "manifest");
  const manifest = readStateFile(path, 16 * 1024 * 1024);
  if ("problem" in manifest) {
    throw new Failure("WRONG_STATE", `the manifest of pod ${uuid} is ${manifest.problem}`, { subject: path });
  }
  return {
    uuid,
    manifest: manifest.bytes,
    imageManifest: (id) => {
      if (!isImageID(id)) throw new Failure("WRONG_STATE", `pod ${uuid} names an image by no ID`, { subject: path });
      return readManifestSync(store, id);
    },
  };
}
