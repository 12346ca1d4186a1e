/** Fetching over HTTPS from our own `serve` on loopback, beside importing the same file; and what an up-to-date image costs. */
import { spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { decodeSelfChecking, encodeSelfChecking } from "../src/store/records.ts";
import { alternate, type Command, peakMemory, settle } from "./measure.ts";
import { type Context, type Row, timingRow } from "./rows.ts";
import { makeKey, makeLayout, must, own, signingEnvironment, trustOwnKeys } from "./signing.ts";
import { makeTree } from "./tree.ts";

const mebibyte = 1024 ** 2;
/** MiB of the image that shows whether memory grows with size. */
const largeSize = 1024;

export async function fetching(context: Context): Promise<readonly Row[]> {
  const { work } = context;
  const env = signingEnvironment(context);
  makeKey(context);
  trustOwnKeys(context);
  const images = [
    makeLayout(context, join(work, "tree"), "tree", (rootfs) => void makeTree(rootfs)),
    makeLayout(context, join(work, "tiny"), "tiny", (rootfs) => writeFileSync(join(rootfs, "file"), "tiny")),
    makeLayout(context, join(work, "large"), "large", fillLarge, ["--no-compression"]),
  ];
  for (const name of ["tree", "tiny", "large"]) rmSync(join(work, name), { recursive: true });
  for (const image of images) must([...own(context), "sign", image], env);
  const site = join(work, "site");
  must([...own(context), "publish", "--out", site, "--url", "https://example.com", ...images], env);
  const served = await serve(context, site);
  try {
    const reader = { context, env, flags: served.flags, data: join(work, "fetch-data") };
    return [...transfers(reader), ...upToDate(reader), memory(reader)];
  } finally {
    await served.stop();
  }
}

interface Reader {
  readonly context: Context;
  readonly env: Readonly<Record<string, string>>;
  /** How the site is reached. */
  readonly flags: readonly string[];
  readonly data: string;
}

function fillLarge(rootfs: string): void {
  const file = openSync(join(rootfs, "file"), "w");
  const block = Buffer.alloc(mebibyte);
  for (let count = 0; count < largeSize; count++) writeSync(file, randomFillSync(block));
  closeSync(file);
}

async function serve(context: Context, site: string) {
  const [program = "", ...flags] = own(context);
  const words = [...flags, "serve", "--format", "json", "--listen", "127.0.0.1:0", site];
  const child = spawn(program, words, {
    env: { ...process.env, ...signingEnvironment(context) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface(child.stdout), "line");
  const { port, caFile } = JSON.parse(line) as { port: number; caFile: string };
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
  };
  return { flags: ["--ca-file", caFile, "--connect-to", `example.com:127.0.0.1:${port}`], stop };
}

function fetch(reader: Reader, name: string, ...words: readonly string[]): Command {
  const { context, env, flags, data } = reader;
  const before = () => settle(context.work, () => rmSync(data, { recursive: true, force: true }));
  return { name, argv: [...own(context), ...flags, "--dir", data, "fetch", ...words], env, before };
}

function transfers(reader: Reader): readonly Row[] {
  const { work } = reader.context;
  const url = "https://example.com/example.com/tree-latest-linux-amd64.aci";
  const file = fetch(reader, "the file", join(work, "tree.aci"));
  const insecure = ["--insecure-options=image", url];
  const timings = alternate(
    [
      fetch(reader, "the URL", url),
      file,
      fetch(reader, "the name", "example.com/tree"),
      fetch(reader, "the URL, unverified", ...insecure),
    ],
    5,
  );
  const [ofUrl, ofFile, ofName, unverified] = timings;
  if (ofUrl === undefined || ofFile === undefined || ofName === undefined || unverified === undefined) return [];
  return [
    timingRow("fetch a tree over HTTPS on loopback", [ofUrl, ofFile], [{ factor: 1.15, of: file.name }]),
    timingRow("fetch it by name: discovery and signature", [ofName, unverified], [{ plus: 120, of: unverified.name }]),
  ];
}

function upToDate(reader: Reader): readonly Row[] {
  return ["tiny", "tree"].flatMap((name) => {
    const again: Command = { ...fetch(reader, "perigee", `example.com/${name}`), before: undefined };
    const { argv, env } = again;
    rmSync(reader.data, { recursive: true, force: true });
    must(argv, env);
    // What changed within the last second is not taken for settled (VERIFY-5).
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
    must(argv, env);
    const node: Command = { name: "node -e 0", argv: [process.execPath, "-e", "0"] };
    const bar = [{ factor: 5, of: node.name }];
    const asked = timingRow(`fetch ${name}, which is up to date`, alternate([again, node], 15), bar);
    freshen(reader.data);
    return [asked, timingRow(`fetch ${name}, within max-age`, alternate([again, node], 15), bar)];
  });
}

/** As if the servers had said that nobody needs to ask for an hour; our own `serve` lets its clients ask each time. */
function freshen(data: string): void {
  const answers = join(data, "store", "answers");
  for (const name of readdirSync(answers)) {
    const path = join(answers, name);
    const answer = decodeSelfChecking(readFileSync(path)) as object;
    writeFileSync(path, encodeSelfChecking({ ...answer, maxAge: 3600 }));
  }
}

function memory(reader: Reader): Row {
  const peaks = ["tiny", "tree", "large"].map((name) => {
    const peak = peakMemory(fetch(reader, name, `example.com/${name}`));
    return { name, value: (peak ?? Number.NaN) / 1024 };
  });
  return {
    what: `peak memory of fetch over HTTPS, up to ${largeSize} MiB`,
    figures: peaks.toSorted((a, b) => b.value - a.value),
    unit: "MiB",
    bars: [{ limit: 200 }],
    missing: peaks.some(({ value }) => Number.isNaN(value)) ? ["/usr/bin/time is not installed"] : [],
  };
}
