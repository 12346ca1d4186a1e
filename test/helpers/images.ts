/** Images for tests of the store, without an archive where none is read. */
import { createHash } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { extractArchive } from "../../src/image/extract.ts";
import { type ImageID, imageID } from "../../src/schema/image-id.ts";
import { beginImport, type OnStep } from "../../src/store/blobs.ts";
import { manifestPath, recordPath, type Store } from "../../src/store/layout.ts";
import { readRecordSync } from "../../src/store/lookup.ts";
import { encodeSelfChecking, type ImageRecord, type StoredRecord, type Vouching } from "../../src/store/records.ts";

/** An image ID that stands for `name`. */
export function fakeId(name: string): ImageID {
  return imageID(sha512(name));
}

export function sha512(bytes: string | Uint8Array): string {
  return createHash("sha512").update(bytes).digest("hex");
}

export interface FakeImage {
  readonly name: string;
  readonly version?: string | undefined;
  readonly labels?: ImageRecord["labels"] | undefined;
  readonly dependencies?: readonly object[] | undefined;
  readonly whitelist?: readonly string[] | undefined;
  readonly latest?: boolean | undefined;
  readonly signers?: readonly Vouching[] | undefined;
  readonly signature?: Buffer | undefined;
  /** The archive's bytes; no real archive unless a test gives one. */
  readonly archive?: Buffer | undefined;
  readonly id?: ImageID | undefined;
}

/** What an importer knows of an image: its record and its parts. */
export function describeImage(image: FakeImage): {
  readonly record: Omit<ImageRecord, "importedAt">;
  readonly manifest: Buffer;
  readonly archive: Buffer;
} {
  const version = image.version === undefined ? [] : [{ name: "version", value: image.version }];
  const labels = [...version, ...(image.labels ?? [])];
  const archive = image.archive ?? Buffer.from(`archive of ${image.name} ${JSON.stringify(labels)}`);
  const manifest = Buffer.from(
    JSON.stringify({
      acKind: "ImageManifest",
      acVersion: "0.8.11",
      name: image.name,
      labels,
      dependencies: image.dependencies,
      pathWhitelist: image.whitelist,
    }),
  );
  const record = {
    id: image.id ?? fakeId(`${image.name} ${JSON.stringify(labels)}`),
    name: image.name,
    labels,
    archive: { sha512: sha512(archive), size: archive.length },
    tarSize: 10_240,
    signers: image.signers ?? [],
    source: "/images/test.aci",
    latest: image.latest ?? false,
    hasDependencies: (image.dependencies ?? []).length > 0,
  };
  return { record, manifest, archive };
}

/** Imports an image as fetch does, with one file in its rootfs. */
export async function importImage(store: Store, image: FakeImage, onStep?: OnStep): Promise<ImageRecord> {
  const { record, manifest, archive } = describeImage(image);
  const staging = await beginImport(store, onStep);
  try {
    await staging.archive.writeFile(archive);
    staging.beginSync();
    await writeFile(join(staging.rootfs, "hello"), `hello from ${image.name}\n`);
    return await staging.commit(record, { manifest, signature: image.signature });
  } catch (error) {
    await staging.abandon();
    throw error;
  }
}

export interface RealFile {
  readonly path: string;
  readonly type?: "file" | "directory" | "symlink" | "link" | undefined;
  readonly content?: string | undefined;
  /** Of a link: as the archive says it; of a hard link from the image's root. */
  readonly target?: string | undefined;
  readonly mode?: number | undefined;
  readonly owner?: number | undefined;
}

/** A real archive, an uncompressed tar by another hand than ours. Times are 2020-01-01. */
export async function makeArchive(manifest: Buffer, files: readonly RealFile[]): Promise<Buffer> {
  const tar = pack();
  const mtime = new Date("2020-01-01T00:00:00Z");
  tar.entry({ name: "manifest", mode: 0o644, mtime }, manifest);
  tar.entry({ name: "rootfs", type: "directory", mode: 0o755, mtime });
  for (const { path, type = "file", content = "", target = "", mode, owner = 0 } of files) {
    const common = {
      name: `rootfs/${path}`,
      mode: mode ?? (type === "directory" ? 0o755 : 0o644),
      mtime,
      uid: owner,
      gid: owner,
    };
    if (type === "file") tar.entry({ ...common, type }, content);
    else tar.entry({ ...common, type, linkname: type === "link" ? `rootfs/${target}` : target });
  }
  tar.finalize();
  return buffer(tar);
}

/** A real image: what makeArchive makes of it, and its true ID. */
export async function makeImage(image: FakeImage, files: readonly RealFile[]): Promise<FakeImage> {
  const archive = await makeArchive(describeImage(image).manifest, files);
  return { ...image, archive, id: imageID(sha512(archive)) };
}

/** Imports a real image as fetch does, unpacking it. */
export async function importReal(store: Store, image: FakeImage): Promise<ImageRecord> {
  const { record, archive } = describeImage(image);
  const staging = await beginImport(store);
  try {
    await staging.archive.writeFile(archive);
    staging.beginSync();
    const owner = process.geteuid?.() === 0;
    const summary = await extractArchive(chunksOf(archive), staging.rootfs, { owner, sync: true });
    return await staging.commit(
      { ...record, tarSize: summary.tarSize },
      { manifest: summary.manifestBytes, signature: image.signature },
    );
  } catch (error) {
    await staging.abandon();
    throw error;
  }
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

/** `count` images, whose entries are copies of one that is imported. */
export async function fillStore(store: Store, count: number): Promise<void> {
  const { id } = await importImage(store, { name: "example.com/first" });
  const first = readRecordSync(store, id);
  if (first === undefined) throw new Error("what was imported is not there");
  const manifest = readFileSync(manifestPath(store, id));
  for (let index = 1; index < count; index += 1) {
    const copy = { ...first, id: fakeId(`copy ${index}`), name: `example.com/copy-${index}` };
    putRecord(store, copy);
    writeFileSync(manifestPath(store, copy.id), manifest);
  }
}

/** As an import does: written beside, renamed. */
export function putRecord(store: Store, record: StoredRecord): void {
  const beside = join(store.root, "beside");
  writeFileSync(beside, encodeSelfChecking(record));
  renameSync(beside, recordPath(store, record.id));
}
