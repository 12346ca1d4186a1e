// Runs the commands whose start is waited for and keeps what V8 compiled for them beside the packs of the bundle, each run adding to the one
// before (record.cjs). A cache of another Node is refused by V8 and the program then starts as if there were none.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const recorder = join(dirname(fileURLToPath(import.meta.url)), "record.cjs");
const host = "example.com";

/** @param dist where the bundle lies, and the caches will */
export async function recordCodeCache(dist) {
  const scratch = mkdtempSync(join(tmpdir(), `perigee-build-${process.pid}-`));
  try {
    const program = recordable(dist, scratch);
    const image = signedImage(scratch, program.run);
    recordPods(image, program);
    await recordFetch(image, scratch, program);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The program with directories of its own: `line` as Node takes it, `run`, and `record`, which keeps what was compiled of these packs. */
function recordable(dist, scratch) {
  const config = (name) => [`--${name}-config`, join(scratch, name)];
  const globals = ["--dir", join(scratch, "data"), ...["system", "local", "user"].flatMap(config)];
  const perigee = (script, words) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [...script, ...words, ...globals], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`perigee ${words.join(" ")} failed while it was recorded: ${stderr}`);
    return stdout;
  };
  const program = join(dist, "perigee.cjs");
  return {
    line: (...words) => [program, ...words, ...globals],
    run: (...words) => perigee([program], words),
    record: (packs, ...words) => perigee([recorder, dist, packs], words),
  };
}

function recordPods({ name }, { record }) {
  const packs = "start.js,pods.js,list.js,relist.js,images.js";
  record(packs, "version");
  record(packs, "list");
  record(packs, "image", "list");
  record(packs, "run", "--help");
  record(packs, "plan", name);
  // Up to the moment at which the shim would take over; only root gets there.
  if (process.getuid() === 0) record(packs, "run", name);
  record(packs, "gc", "--grace-period=0s");
}

/** A fetch of what is up to date, from a site over HTTPS. */
async function recordFetch({ name, archive }, scratch, { line, run, record }) {
  const site = join(scratch, "site");
  run("publish", "--out", site, "--url", `https://${host}`, archive);
  const server = await serve(line("serve", "--format", "json", "--listen", "127.0.0.1:0", site));
  try {
    const way = ["--ca-file", server.caFile, "--connect-to", `${host}:127.0.0.1:${server.port}`];
    run("fetch", ...way, name);
    // Verified by OpenPGP, then by what was remembered of that.
    for (let turn = 0; turn < 2; turn += 1) record("fetch.js", "fetch", ...way, name);
  } finally {
    await server.stop();
  }
}

/** Starts `serve` and waits until it listens. */
async function serve(line) {
  const child = spawn(process.execPath, line, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const [first] = await Promise.race([once(createInterface(child.stdout), "line"), ended]);
  if (typeof first !== "string") throw new Error("perigee serve failed while a fetch was to be recorded");
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { ...JSON.parse(first), stop };
}

/** Stores an image that a trusted key vouches for. @returns its name and its archive */
function signedImage(scratch, perigee) {
  const name = `${host}/recorded`;
  const [directory, archive, key] = ["image", "image.aci", "key"].map((path) => join(scratch, path));
  mkdirSync(join(directory, "rootfs"), { recursive: true });
  const app = { exec: ["/app"], user: "0", group: "0" };
  writeFileSync(
    join(directory, "manifest"),
    JSON.stringify({ acKind: "ImageManifest", acVersion: "0.8.11", name, app }),
  );
  perigee("build", directory, archive);
  perigee("key", "generate", "--name", "Build", "--email", "build@example.com", "--no-passphrase");
  const [{ fingerprint }] = JSON.parse(perigee("key", "list", "--format", "json"));
  writeFileSync(key, perigee("key", "export", fingerprint));
  perigee("sign", archive);
  perigee("trust", "--prefix", name, "--fingerprint", fingerprint, key);
  perigee("fetch", archive);
  return { name, archive };
}
