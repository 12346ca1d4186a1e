/**
 * The last bytes that came out, in a line, for decoders that copy from what they wrote before. Grows with what is written:
 * a header that announces a large window costs nothing yet.
 */

export interface Window {
  bytes: Uint8Array;
  /** Where the next byte goes; everything before it is history. */
  at: number;
  /** Bytes before this were handed out. */
  taken: number;
  /** Bytes of history that may be asked for. */
  readonly size: number;
}

/** History moves in steps of this, so that the low bits of a place stay what they were. */
const step = 4096;
const firstSize = 1024 * 1024;

/** `bytes`: memory of a window that is not used any more. */
export function openWindow(size: number, bytes: Uint8Array = new Uint8Array(0)): Window {
  return { bytes, at: 0, taken: 0, size };
}

/** Forgets all history. What was written must have been taken. */
export function clearWindow(window: Window): void {
  window.at = 0;
  window.taken = 0;
}

/** Makes room for `length` bytes at `at`. What was written must have been taken. */
export function makeRoom(window: Window, length: number): void {
  if (window.at + length <= window.bytes.length) return;
  // Room beyond the history makes moving it rare: a quarter of it, and never less than four pieces.
  const most = window.size + step + Math.max(4 * length, window.size / 4);
  if (window.bytes.length < most) {
    const size = Math.min(most, Math.max(firstSize, 2 * window.bytes.length, window.at + length));
    if (window.at + length <= size) {
      const larger = new Uint8Array(size);
      larger.set(window.bytes.subarray(0, window.at));
      window.bytes = larger;
      return;
    }
  }
  const shift = Math.floor((window.at - window.size) / step) * step;
  window.bytes.copyWithin(0, shift, window.at);
  window.at -= shift;
  window.taken -= shift;
}

/** What was written since the last time, as a copy. */
export function takeWritten(window: Window): Buffer {
  const written = Buffer.from(window.bytes.subarray(window.taken, window.at));
  window.taken = window.at;
  return written;
}

/** Repeats `length` bytes from `distance` before `at`; both were checked, and there is room. */
export function repeat(window: Window, distance: number, length: number): void {
  const { bytes, at } = window;
  const from = at - distance;
  if (distance >= length && length > 24) bytes.copyWithin(at, from, from + length);
  else for (let i = 0; i < length; i++) bytes[at + i] = bytes[from + i] as number;
  window.at = at + length;
}
