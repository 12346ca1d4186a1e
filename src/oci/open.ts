/** The source that a reference names. Registries are loaded only when one is asked. */
import { Failure } from "../base/failure.ts";
import { openDockerArchive } from "./docker-archive.ts";
import { archiveFiles, directoryFiles, type FileSet } from "./files.ts";
import { openLayout } from "./layout.ts";
import type { LocalReference, OciReference } from "./reference.ts";
import type { OciSource } from "./source.ts";

/** @throws Failure NOT_FOUND, AMBIGUOUS, IMAGE_INVALID, ARCHIVE_INVALID */
export async function openSource(reference: OciReference): Promise<OciSource> {
  if (reference.from === "registry") throw new Failure("UNSUPPORTED", "registries are not asked yet");
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
