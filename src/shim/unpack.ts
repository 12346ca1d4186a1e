/** Canonical tar → files, by perigee-shim, which is shut in with the directory. Knows neither archives from elsewhere nor the store. */
import { closeSync } from "node:fs";
import { Failure } from "../base/failure.ts";
import { answerOf, bytesToText, startVerb, type Verb, type VerbOptions } from "./child.ts";
import { openPipe } from "./libc.ts";
import { writePipe } from "./pipe.ts";

export interface UnpackOptions {
  /** False: files belong to the caller; needed when that is not root and has no ids for others (caller-ids.ts). */
  readonly owner: boolean;
  /** Make device nodes instead of leaving them out. */
  readonly devices?: boolean | undefined;
  /** Make character devices 0:0, which hide files of the layers below; refused without, because no image may have one. */
  readonly whiteouts?: boolean | undefined;
  /** Everything is on the disk when the promise resolves. */
  readonly sync?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface UnpackResult {
  readonly entries: number;
  /** Of the content of files. */
  readonly bytes: number;
  /** What was left out, as `PATH: device or attribute`; bytes that are not UTF-8 are replaced. To be shown through printable(). */
  readonly skipped: readonly string[];
}

/** Bytes handed to the shim at once: an archive is mostly headers of 512 bytes and small files. */
const blockSize = 256 * 1024;

/**
 * Streams canonical tar (src/tar/write.ts) into the empty directory `directory`. On failure what was made stays below it.
 * @throws Failure SHIM_FAILED naming the entry, DISK_FULL, LIMIT_EXCEEDED for an attribute that the file system cannot hold, INTERRUPTED; whatever `tar` throws
 */
export async function unpack(
  tar: AsyncIterable<Uint8Array>,
  directory: string,
  options: UnpackOptions,
): Promise<UnpackResult> {
  const flags = [
    ...(options.owner ? [] : ["--no-owner"]),
    ...(options.devices === true ? ["--devices"] : []),
    ...(options.whiteouts === true ? ["--whiteouts"] : []),
    ...(options.sync === true ? ["--sync"] : []),
  ];
  const { verb, input } = startUnpack(flags, directory, { signal: options.signal, asPodRoot: options.owner });
  const feeding = feed(tar, verb, input);
  try {
    const answer = parseAnswer(await answerOf(verb));
    await feeding.done;
    return answer;
  } catch (error) {
    // The shim is killed when its source fails, so the source's error came first. Not waited for otherwise: it may have stalled.
    throw feeding.sourceError() ?? error;
  }
}

function startUnpack(flags: readonly string[], directory: string, options: VerbOptions) {
  const { readEnd, writeEnd } = openPipe();
  try {
    return { verb: startVerb("unpack", flags, directory, { ...options, stdin: readEnd }), input: writeEnd };
  } catch (error) {
    closeSync(writeEnd);
    throw error;
  } finally {
    closeSync(readEnd); // the shim's alone, so that writing fails when it has ended
  }
}

interface Feeding {
  readonly done: Promise<void>;
  /** What the source threw, if that is what ended it. */
  sourceError(): unknown;
}

function feed(tar: AsyncIterable<Uint8Array>, { child }: Verb, input: number): Feeding {
  let thrown: unknown;
  async function* watched(): AsyncGenerator<Uint8Array> {
    try {
      yield* inBlocks(tar);
    } catch (error) {
      // The archive did not end: the shim must not take what it has for the whole, nor wait for more.
      thrown = error;
      child.kill("SIGKILL");
      throw error;
    }
  }
  const done = writePipe(input, watched());
  done.catch(() => {}); // a shim that stopped reading says itself why
  return { done, sourceError: () => thrown };
}

function parseAnswer(line: string): UnpackResult {
  const answer: Partial<Record<keyof UnpackResult, unknown>> = JSON.parse(line);
  const { entries, bytes, skipped } = answer;
  if (typeof entries !== "number" || typeof bytes !== "number" || !Array.isArray(skipped)) {
    throw new Failure("INTERNAL", "perigee-shim unpack gave an answer of another version");
  }
  return { entries, bytes, skipped: skipped.map(bytesToText) };
}

/** Small chunks together, large ones as they are. */
async function* inBlocks(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let block = Buffer.allocUnsafeSlow(blockSize);
  let used = 0;
  for await (const chunk of source) {
    if (used + chunk.length > blockSize) {
      yield block.subarray(0, used);
      block = Buffer.allocUnsafeSlow(blockSize);
      used = 0;
    }
    if (chunk.length > blockSize / 2) {
      if (used > 0) {
        yield block.subarray(0, used);
        block = Buffer.allocUnsafeSlow(blockSize);
        used = 0;
      }
      yield chunk;
    } else {
      block.set(chunk, used);
      used += chunk.length;
    }
  }
  if (used > 0) yield block.subarray(0, used);
}
