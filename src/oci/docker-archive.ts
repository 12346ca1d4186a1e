/** What `docker save` writes (OCI-21): `manifest.json`, a config and the layers as plain tars. A manifest is made of it, as a push would make one. */
import { basename } from "node:path";
import { excerpt, Failure, printable } from "../base/failure.ts";
import { parseStrictJson } from "../schema/strict-json.ts";
import { parseConfig } from "./config.ts";
import type { Digest } from "./digest.ts";
import {
  type Descriptor,
  documentLimit,
  fieldsOf,
  invalid,
  listOf,
  mediaTypes,
  mostLayers,
  text,
} from "./documents.ts";
import { type FileSet, readSmall } from "./files.ts";
import { isLayout, openLayout } from "./layout.ts";
import type { LocalReference } from "./reference.ts";
import type { OciSource } from "./source.ts";
import { digestOf } from "./verified.ts";

interface Saved {
  readonly config: string;
  readonly names: readonly string[];
  readonly layers: readonly string[];
}

const mostImages = 10_000;

/** @throws Failure NOT_FOUND, AMBIGUOUS, IMAGE_INVALID */
export async function openDockerArchive(files: FileSet, reference: LocalReference): Promise<OciSource> {
  const shown = printable(reference.path);
  const bytes = await readSmall(files, "manifest.json", documentLimit);
  if (bytes === undefined) {
    // Newer ones are both, and without the old half they are the new one.
    if (await isLayout(files, shown)) return await openLayout(files, reference);
    throw new Failure("NOT_FOUND", `${shown} is no archive of docker save`, {
      subject: reference.path,
      cause: "it has no manifest.json",
    });
  }
  const saved = listOf(parseStrictJson(bytes, `${shown}: manifest.json`), mostImages, shown);
  const image = choose(
    saved.map((item) => parseSaved(item, shown)),
    reference,
  );
  const { manifest, places } = await makeManifest(files, image, shown);
  const [name = ""] = image.names.filter((one) => reference.tag === undefined || isNamed(one, reference.tag));
  const colon = name.lastIndexOf(":");
  const hasTag = colon > name.lastIndexOf("/");
  return {
    // OCI-31: an archive that names itself must not be found in place of somebody's signed image.
    imageName: reference.tag === undefined ? fileName(reference.path) : hasTag ? name.slice(0, colon) : name,
    tag: hasTag ? name.slice(colon + 1) : undefined,
    root: async () => ({ bytes: manifest, mediaType: mediaTypes.dockerManifest }),
    open: ({ digest }) => {
      const place = places.get(digest);
      if (place === undefined) throw new Failure("NOT_FOUND", `${shown} has no ${digest}`);
      return files.open(place);
    },
    close: () => files.close(),
  };
}

function fileName(path: string): string {
  return basename(path).replace(/\.tar(?:\.[a-z0-9]{1,4})?$/, "");
}

function parseSaved(item: unknown, shown: string): Saved {
  const fields = fieldsOf(item, shown);
  const config = text(fields["Config"]);
  if (config === undefined) throw invalid(shown, "an image of its manifest.json has no config");
  const texts = (value: unknown): readonly string[] =>
    listOf(value ?? [], mostLayers, shown).map((one) => text(one) ?? "");
  return { config, names: texts(fields["RepoTags"]), layers: texts(fields["Layers"]) };
}

function choose(images: readonly Saved[], { tag, path }: LocalReference): Saved {
  const shown = printable(path);
  const names = images
    .flatMap((image) => image.names.map((name) => excerpt(name)))
    .slice(0, 20)
    .join(", ");
  const fitting = tag === undefined ? images : images.filter((image) => image.names.some((name) => isNamed(name, tag)));
  const [only, other] = fitting;
  if (only === undefined) {
    throw new Failure("NOT_FOUND", `${shown} has no image${tag === undefined ? "" : ` ${excerpt(tag)}`}`, {
      subject: path,
      cause: names === "" ? "its images have no names" : `it has ${names}`,
    });
  }
  if (other === undefined) return only;
  throw new Failure("AMBIGUOUS", `${shown} has several images`, {
    subject: path,
    cause: `it has ${names}`,
    hint: `name one of them: docker-archive:${shown}:NAME:TAG`,
  });
}

/** A name may be asked for without the host that it was saved with. */
function isNamed(name: string, wanted: string): boolean {
  const plain = (one: string) => one.replace(/^docker\.io\/(?:library\/)?/, "").replace(/:latest$/, "");
  return plain(name) === plain(wanted);
}

/** Names of files in the archive are compared with its members only: none becomes a path. */
async function makeManifest(files: FileSet, image: Saved, shown: string) {
  const configBytes = await readSmall(files, image.config, documentLimit);
  if (configBytes === undefined) throw invalid(shown, `its config ${excerpt(image.config)} is missing`);
  const config = parseConfig(configBytes, image.layers.length, shown);
  const configDigest = digestOf(configBytes);
  const places = new Map<Digest, string>([[configDigest, image.config]]);
  const layers: Descriptor[] = [];
  for (const [index, digest] of config.diffIds.entries()) {
    const place = image.layers[index] ?? "";
    const size = await files.size(place);
    if (size === undefined) throw invalid(shown, `its layer ${excerpt(place)} is missing`);
    places.set(digest, place);
    layers.push({ mediaType: "application/vnd.docker.image.rootfs.diff.tar", digest, size });
  }
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.dockerManifest,
    config: { mediaType: mediaTypes.dockerConfig, size: configBytes.length, digest: configDigest },
    layers: layers.map(({ mediaType, size, digest }) => ({ mediaType, size, digest })),
  };
  return { manifest: Buffer.from(JSON.stringify(manifest)), places };
}
