/** Pushes an image to a registry, as an OCI image. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { excerpt, Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { parseOciReference, type RegistryReference, showOciReference } from "../oci/reference.ts";
import { openStore } from "../store/layout.ts";
import { makeStaging } from "../store/staging.ts";
import { withOutgoing } from "./export-oci.ts";
import { findImageSource } from "./image-source.ts";
import type { Settings } from "./settings.ts";

export interface PushImageOptions {
  /** A stored image, or the path of an .aci, which is not verified. */
  readonly image: string;
  /** `docker://[HOST/]NAME[:TAG]` */
  readonly to: string;
  /** Refuse what OCI cannot say. */
  readonly strict?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PushedImage {
  readonly id: string;
  readonly name: string;
  /** With the tag, and with the digest of the manifest: what others fetch. */
  readonly reference: string;
  readonly manifest: string;
  /** Blobs that were sent, and their bytes; that another repository of the registry had; that were there. */
  readonly sent: number;
  readonly sentBytes: number;
  readonly mounted: number;
  readonly present: number;
  readonly lost: readonly string[];
}

/** @throws Failure USAGE, NOT_AUTHORISED, HTTP_FAILED, TLS_FAILED, TIMED_OUT, INTERRUPTED, UNSUPPORTED; as withOutgoing */
export async function pushToRegistry(settings: Settings, options: PushImageOptions): Promise<PushedImage> {
  const { image, strict, signal } = options;
  const target = targetOf(options.to);
  const store = await openStore(settings.directories.data);
  const mountFrom = await originIn(settings, image, target.host);
  const staging = await makeStaging(store);
  try {
    const blobs = join(staging.path, "outgoing");
    await mkdir(blobs, { mode: 0o700 }).catch((error: unknown) => {
      throw ioFailure(error, `cannot make ${blobs}`, blobs);
    });
    return await withOutgoing(
      settings,
      { image, strict, signal },
      { blobs, compression: "gzip" },
      async (outgoing, root) => {
        const [{ pushImage }, { credentialsFor }, { registriesOf }] = await Promise.all([
          import("../oci/push.ts"),
          import("../oci/registries.ts"),
          import("./registry-files.ts"),
        ]);
        const { host, repository } = target;
        const registries = registriesOf(settings);
        const pushed = await pushImage(outgoing, target, {
          http: await settings.http(),
          insecureHttp: settings.insecure.has("http"),
          credentials: () => credentialsFor(host, repository, registries, { log: settings.log, signal }),
          ...{ mountFrom: mountFrom === target.repository ? undefined : mountFrom, log: settings.log, signal },
        });
        const { digest } = outgoing.manifest;
        const shown = showOciReference({ ...target, digest });
        return { id: root.id, name: root.name, reference: shown, manifest: digest, ...pushed, lost: outgoing.lost };
      },
    );
  } finally {
    await staging.discard();
  }
}

function targetOf(text: string): RegistryReference {
  const reference = parseOciReference(text);
  if (reference?.from === "registry" && reference.digest === undefined) return reference;
  throw new Failure("USAGE", `${excerpt(text)} is no place in a registry`, {
    subject: text,
    hint: "docker://HOST/NAME[:TAG]: the digest is the image's own; for files there is perigee image export --as oci",
  });
}

/** The repository of that registry that the image came from: it has its layers. */
async function originIn(settings: Settings, image: string, host: string): Promise<string | undefined> {
  const source = await findImageSource(settings, image);
  const from =
    source.kind === "stored" && source.record.oci !== undefined ? parseOciReference(source.record.source) : undefined;
  return from?.from === "registry" && from.host === host ? from.repository : undefined;
}
