/** rpm's own database `Packages.db` (SUSE): slots that say where in the file each package's header lies. Numbers are little-endian. */
import { Failure } from "../base/failure.ts";

const pageSize = 4096;
const blockSize = 16;
const slotSize = 16;
const headerSize = 32;
const blobHeaderSize = 16;
const magics = { file: 0x506d7052, slot: 0x746f6c53, blob: 0x53626c42 } as const;
/** Of the format; there has been no other. */
const supportedVersion = 0;

/** The package headers in the order of their slots. @throws Failure IMAGE_INVALID, UNSUPPORTED */
export function* ndbBlobs(file: Buffer): Generator<Buffer> {
  if (file.length < pageSize || file.readUInt32LE(0) !== magics.file) throw damaged("it does not begin like one");
  const version = file.readUInt32LE(4);
  if (version !== supportedVersion) {
    throw new Failure("UNSUPPORTED", `Packages.db of version ${version} is not read`);
  }
  const slotsEnd = file.readUInt32LE(12) * pageSize;
  if (slotsEnd > file.length) throw damaged("it has more slots than room");
  let length = 0;
  for (let at = headerSize; at + slotSize <= slotsEnd; at += slotSize) {
    if (file.readUInt32LE(at) !== magics.slot) throw damaged("a slot has no mark");
    const [index, offset, blocks] = [4, 8, 12].map((field) => file.readUInt32LE(at + field));
    if (index === undefined || index === 0 || offset === undefined || blocks === undefined) continue;
    const blob = blobAt(file, index, offset * blockSize, blocks * blockSize);
    length += blob.length;
    if (length > file.length) throw damaged("its packages lie over each other");
    yield blob;
  }
}

/** Mark, index, generation and length, then the bytes; the same index, or it is somebody else's. */
function blobAt(file: Buffer, index: number, start: number, room: number): Buffer {
  if (start + room > file.length || room < blobHeaderSize) throw damaged("a package lies outside of it");
  const length = file.readUInt32LE(start + 12);
  if (file.readUInt32LE(start) !== magics.blob || file.readUInt32LE(start + 4) !== index) {
    throw damaged("a package is not where its slot says");
  }
  if (length > room - blobHeaderSize) throw damaged("a package is longer than its place");
  return file.subarray(start + blobHeaderSize, start + blobHeaderSize + length);
}

function damaged(why: string): Failure {
  return new Failure("IMAGE_INVALID", `the rpm database Packages.db is damaged: ${why}`);
}
