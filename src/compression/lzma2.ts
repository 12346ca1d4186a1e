/** LZMA2: chunks of LZMA or of plain bytes, each with its sizes and with what is forgotten before it. */
import { cutOff, damaged } from "./damage.ts";
import { type Input, take } from "./input.ts";
import { decodeChunk, type Lzma, makeLzma, resetState, setProperties } from "./lzma.ts";
import { slack } from "./range-coder.ts";
import { clearWindow, makeRoom, takeWritten, type Window } from "./window.ts";

/** Bytes of the largest chunk, in and out. */
const mostIn = 64 * 1024;
const mostOut = 2 * 1024 * 1024;

/** What the next chunk must bring with it. */
interface Pending {
  dictionary: boolean;
  properties: boolean;
  state: boolean;
}

export interface Lzma2 {
  /** Compressed bytes read so far, of this block. */
  consumed: number;
  readonly chunks: AsyncGenerator<Buffer>;
}

/** One block's data as plain pieces; `window` is emptied first. */
export function lzma2(input: Input, window: Window): Lzma2 {
  const lzma = makeLzma();
  lzma.coder.input = new Uint8Array(mostIn + slack);
  const pending: Pending = { dictionary: true, properties: true, state: true };
  const reader: Lzma2 = { consumed: 0, chunks: read() };
  const next = async (length: number): Promise<Buffer> => {
    const bytes = await take(input, length);
    if (bytes === undefined) throw cutOff("xz");
    reader.consumed += length;
    return bytes;
  };
  async function* read(): AsyncGenerator<Buffer> {
    for (;;) {
      const control = (await next(1))[0] as number;
      if (control === 0) return;
      resetBefore(control, window, pending);
      if (control >= 0x80) await compressed(control, next, { lzma, window, pending });
      else await plain(next, window);
      yield takeWritten(window);
    }
  }
  return reader;
}

/** 1 and 0xe0 and above empty the dictionary; the first chunk has to. */
function resetBefore(control: number, window: Window, pending: Pending): void {
  if (control > 2 && control < 0x80) throw damaged("xz", "an unknown kind of chunk");
  if (control === 1 || control >= 0xe0) {
    clearWindow(window);
    pending.dictionary = false;
    if (control === 1) pending.properties = true;
  } else if (pending.dictionary) {
    throw damaged("xz", "the first chunk does not begin a dictionary");
  }
}

async function plain(next: (length: number) => Promise<Buffer>, window: Window): Promise<void> {
  const size = (await next(2)).readUInt16BE() + 1;
  makeRoom(window, mostOut);
  window.bytes.set(await next(size), window.at);
  window.at += size;
}

interface Parts {
  readonly lzma: Lzma;
  readonly window: Window;
  readonly pending: Pending;
}

async function compressed(control: number, next: (length: number) => Promise<Buffer>, parts: Parts): Promise<void> {
  const { lzma, window, pending } = parts;
  const header = await next(4);
  const size = ((control & 0x1f) << 16) + header.readUInt16BE(0) + 1;
  const length = header.readUInt16BE(2) + 1;
  if (control >= 0xc0) {
    if (!setProperties(lzma, (await next(1))[0] as number)) throw damaged("xz", "impossible properties of LZMA");
    pending.properties = false;
  } else if (pending.properties) {
    throw damaged("xz", "a chunk without properties");
  }
  if (control >= 0xa0) {
    resetState(lzma);
    pending.state = false;
  } else if (pending.state) {
    throw damaged("xz", "a chunk without a state");
  }
  lzma.coder.input.set(await next(length));
  lzma.coder.input.fill(0, length, length + slack);
  makeRoom(window, mostOut);
  const wrong = decodeChunk(lzma, window, 0, length, size);
  if (wrong !== undefined) throw damaged("xz", wrong);
}
