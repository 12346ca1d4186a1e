// npm run quickstart: the main job as a newcomer would do it, with the built program and nothing else.
// Everything is made below one temporary directory, HOME and the data directory included, and removed at the end.
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inWords, setup } from "./setup.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const program = join(root, "dist/perigee");
const imageName = "example.com/hello";
const greeting = "Hello from a pod.\n";

/** What a step runs with: its own home, so that no file of the caller is read or written. */
function world(directory) {
  const env = { PATH: process.env.PATH ?? "", HOME: join(directory, "home"), LANG: "C.UTF-8" };
  const places = { "--dir": "data", "--local-config": "etc", "--system-config": "usr-lib" };
  const globals = Object.entries(places).flatMap(([flag, name]) => [flag, join(directory, name)]);
  return { directory, env, globals };
}

/** Runs perigee to its end; its standard output. */
function perigee({ directory, env, globals }, ...words) {
  const { status, stdout, stderr } = spawnSync(program, [...globals, ...words], {
    cwd: directory,
    env,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`perigee ${words.join(" ")} ended with status ${status}\n${stderr}`);
  return stdout;
}

/** Starts perigee and leaves it running. */
function start({ directory, env, globals }, ...words) {
  const child = spawn(program, [...globals, ...words], { cwd: directory, env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("exit", (status) => resolve(status)));
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
  }
  return { child, ended, said: () => said };
}

async function step(title, work) {
  const before = performance.now();
  process.stdout.write(`\n• ${title}\n`);
  const said = await work();
  for (const line of said ?? []) process.stdout.write(`    ${line}\n`);
  process.stdout.write(`    (${((performance.now() - before) / 1000).toFixed(2)} s)\n`);
}

/** A port of the loopback address that was free a moment ago. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function get(port) {
  return new Promise((resolve, reject) => {
    const call = request({ host: "127.0.0.1", port, path: "/", timeout: 2000 }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => {
        body += text;
      });
      response.on("end", () => resolve(body));
    });
    call.on("timeout", () => call.destroy(new Error("no answer")));
    call.on("error", reject);
    call.end();
  });
}

/** Repeats `attempt` until it gives something, at most 20 s, ending early when `process` has ended. */
async function until(what, attempt, process) {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const result = await attempt().catch(() => undefined);
    if (result !== undefined) return result;
    if (process.child.exitCode !== null) throw new Error(`${what}: it ended early\n${process.said()}`);
    if (Date.now() > deadline) throw new Error(`${what}: not within 20 s\n${process.said()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function writeImageSource(directory, port) {
  const rootfs = join(directory, "rootfs");
  mkdirSync(join(rootfs, "bin"), { recursive: true });
  mkdirSync(join(rootfs, "www"));
  const busybox = ["/bin/busybox", "/usr/bin/busybox"].find(existsSync);
  if (busybox === undefined) throw new Error("busybox is needed: apt-get install busybox-static");
  copyFileSync(busybox, join(rootfs, "bin/busybox"));
  chmodSync(join(rootfs, "bin/busybox"), 0o755);
  writeFileSync(join(rootfs, "www/index.html"), greeting);
  const manifest = {
    acKind: "ImageManifest",
    acVersion: "0.8.11",
    name: imageName,
    labels: [
      { name: "version", value: "1.0.0" },
      { name: "os", value: "linux" },
      { name: "arch", value: process.arch === "arm64" ? "aarch64" : "amd64" },
    ],
    app: {
      exec: ["/bin/busybox", "httpd", "-f", "-p", `127.0.0.1:${port}`, "-h", "/www"],
      user: "0",
      group: "0",
    },
  };
  writeFileSync(join(directory, "manifest.json"), JSON.stringify(manifest, undefined, 2));
}

async function tell(directory, running) {
  const here = world(directory);
  mkdirSync(here.env.HOME, { recursive: true });
  const webPort = await freePort();
  const image = join(directory, "hello.aci");
  const site = join(directory, "site");
  let fingerprint = "";

  await step("Build an image: a web server of busybox and one page", () => {
    writeImageSource(directory, webPort);
    const built = perigee(
      here,
      "build",
      "--manifest",
      join(directory, "manifest.json"),
      "--rootfs",
      join(directory, "rootfs"),
      image,
    );
    return built.trim().split("\n");
  });
  await step("Make a signing key", () => {
    const line = ["key", "generate", "--name", "Quick Start", "--email", "quickstart@example.com", "--no-passphrase"];
    fingerprint = JSON.parse(perigee(here, ...line, "--format", "json")).fingerprint;
    return [`fingerprint ${fingerprint}`];
  });
  await step("Sign the image with it", () => {
    perigee(here, "sign", "--key", fingerprint, image);
    return [`signature ${image}.asc`];
  });
  await step(`Publish it as ${imageName}: files for any web server`, () => {
    perigee(here, "publish", "--out", site, "--url", "https://example.com", image);
    return [`site ${site}`];
  });
  let network = [];
  await step("Serve the site over HTTPS on this machine, with a certificate authority of its own", async () => {
    const server = start(here, "serve", "--listen", "127.0.0.1:0", site);
    running.push(server);
    const address = async () => /https:\/\/127\.0\.0\.1:(\d+)/.exec(server.said()) ?? undefined;
    const [url, port] = await until("perigee serve", address, server);
    network = ["--ca-file", authorityBelow(here.env.HOME), "--connect-to", `example.com:127.0.0.1:${port}`];
    return [`${url} plays the part of https://example.com`];
  });
  await step("Trust the key for that name: found by discovery, accepted only with the fingerprint we know", () => {
    perigee(here, "trust", "--prefix", imageName, "--fingerprint", fingerprint, ...network);
  });
  await step("Fetch the image by its name: discovered, verified, stored", () => {
    return perigee(here, "fetch", ...network, `${imageName}:1.0.0`)
      .trim()
      .split("\n");
  });
  await step("Run it as a pod on the host's network, and ask it for its page", async () => {
    const uuidFile = join(directory, "uuid");
    const pod = start(here, "run", "--net=host", "--uuid-file-save", uuidFile, `${imageName}:1.0.0`);
    running.push(pod);
    const page = await until("perigee run", () => get(webPort), pod);
    if (page !== greeting) throw new Error(`the pod answered ${JSON.stringify(page)}`);
    return [`GET http://127.0.0.1:${webPort}/ → ${page.trim()}`];
  });
  await step("Stop the pod, remove it, and sweep the store", async () => {
    const uuidFile = join(directory, "uuid");
    perigee(here, "stop", "--uuid-file", uuidFile);
    await running.pop().ended;
    perigee(here, "rm", "--uuid-file", uuidFile);
    perigee(here, "gc", "--grace-period=0s");
    const left = JSON.parse(perigee(here, "list", "--format", "json"));
    if (left.length > 0) throw new Error("a pod is left");
    return ["no pod is left"];
  });
}

/** The certificate of the authority that perigee serve made for itself. */
function authorityBelow(home) {
  const path = readdirSync(home, { recursive: true }).find((name) => name.endsWith("ca.pem"));
  if (path === undefined) throw new Error("perigee serve left no ca.pem");
  return join(home, path);
}

await inWords(async () => {
  const before = performance.now();
  setup("quickstart");
  const { build } = await import("./build.mjs");
  await build();
  process.stdout.write(`Built in ${((performance.now() - before) / 1000).toFixed(1)} s. Now the main job.\n`);
  const directory = mkdtempSync(join(tmpdir(), `perigee-quickstart-${process.pid}-`));
  const running = [];
  try {
    await tell(directory, running);
    process.stdout.write(`\nDone in ${((performance.now() - before) / 1000).toFixed(1)} s.\n`);
  } finally {
    for (const { child } of running) child.kill("SIGTERM");
    await Promise.all(running.map(({ ended }) => ended));
    rmSync(directory, { recursive: true, force: true });
  }
});
