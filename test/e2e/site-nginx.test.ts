/** Debian's nginx serves what `publish` wrote, over TLS, with nothing configured but the directory: discovery, trust, fetch, resume. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { Workspace } from "../helpers/program.ts";
import { ownKey, signedImage } from "../helpers/site-world.ts";

const clean = leakSnapshot();
const work = new Workspace();
const nobody = 65534;
let fingerprint = "";
let image = "";
let port = 0;
let nginx: ChildProcess | undefined;
let there: readonly string[] = [];

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/**
 * One process, nobody's, that may read the site and write below its own directory. A large file takes a quarter of a minute, so that it can be
 * seen half-way; its rest comes at once.
 */
function configuration(): string {
  const own = (name: string): string => work.path("nginx", name);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${own(kind)};`,
  );
  return `daemon off; master_process off; pid ${own("pid")}; error_log stderr;
events {}
http {
  ${temporary.join("\n  ")}
  log_format asked '$status $request_method $request_uri "$http_range"';
  access_log ${own("access.log")} asked;
  default_type application/octet-stream;
  types { text/html html; application/json json; }
  server {
    listen 127.0.0.1:${port} ssl;
    server_name example.com;
    ssl_certificate ${work.path("tls.pem")};
    ssl_certificate_key ${work.path("tls.key")};
    root ${work.path("site")};
    port_in_redirect off;
    location ~ big {
      # A whole one takes half a minute, so that it can be met on its way; what goes on by a range comes at once.
      if ($http_range = "") {
        set $limit_rate 100k;
      }
    }
  }
}
`;
}

/** GET of a path of the site, with nginx's certificate and no proxy. */
function curl(path: string, ...options: readonly string[]) {
  const way = ["--cacert", work.path("tls.pem"), "--connect-to", `example.com:443:127.0.0.1:${port}`];
  return work.command(["curl", "--silent", "--noproxy", "*", ...way, ...options, `https://example.com/${path}`]);
}

/** Whether it answers: it ends where somebody else has taken the port meanwhile. */
async function startNginx(): Promise<boolean> {
  port = await freePort();
  writeFileSync(work.path("nginx.conf"), configuration());
  const confined = ["--reuid", String(nobody), "--regid", String(nobody), "--clear-groups", "--inh-caps=-all"];
  nginx = spawn("setpriv", [...confined, "nginx", "-e", "stderr", "-c", work.path("nginx.conf")], { stdio: "inherit" });
  for (let tries = 0; curl("").status !== 0; tries++) {
    if (nginx.exitCode !== null) return false;
    assert.ok(tries < 1200, "nginx does not answer");
    await sleep(50);
  }
  return true;
}

const asked = (): readonly string[] => readFileSync(work.path("nginx", "access.log"), "utf8").trim().split("\n");

before(async () => {
  fingerprint = ownKey(work, "Ann");
  image = signedImage(work, "example.com/group/web");
  work.must(["publish", "--out", "site", "--url", "https://example.com", image]);
  const subject = ["-subj", "/CN=example.com", "-addext", "subjectAltName=DNS:example.com"];
  const request = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-noenc",
    "-days",
    "2",
    ...subject,
  ];
  assert.equal(
    work.command(["openssl", ...request, "-keyout", work.path("tls.key"), "-out", work.path("tls.pem")]).status,
    0,
  );
  mkdirSync(work.path("nginx"));
  chownSync(work.path("nginx"), nobody, nobody);
  chownSync(work.path("tls.key"), nobody, nobody);
  // The way to the site; what is private in the workspace has modes of its own.
  chmodSync(work.directory, 0o711);
  for (let ports = 1; !(await startNginx()); ports++) assert.ok(ports < 10, "nginx does not start");
  there = ["--ca-file", work.path("tls.pem"), "--connect-to", `example.com:127.0.0.1:${port}`];
});
after(async () => {
  if (nginx !== undefined && nginx.exitCode === null) {
    const ended = new Promise((resolve) => nginx?.once("exit", resolve));
    nginx.kill("SIGTERM");
    await ended;
  }
  await work.close();
  await assertNothingLeft(clean);
});

describe("a published site behind nginx", () => {
  it("DISC-1…7: the image and its keys are discovered, through nginx's way to the slash", () => {
    const [found] = JSON.parse(work.must(["discover", "--format", "json", ...there, "example.com/group/web:1.0.0"]));
    assert.match(found.endpoints[0].image, /^https:\/\/example\.com\/example\.com\/group\/web-1\.0\.0-linux-\w+\.aci$/);
    assert.deepEqual(found.keys, [`https://example.com/keys/${fingerprint}.asc`]);
    assert.ok(asked().some((line) => /^301 GET \/group\/web\?ac-discovery=1/.test(line)));
  });

  it("T-D10: its key is trusted by the fingerprint that the page shows, and the image fetched and run", () => {
    assert.equal(work.perigee(["fetch", ...there, "example.com/group/web:1.0.0"]).status, 4);
    const page = readFileSync(work.path("site", "group/web/index.html"), "utf8");
    const [command = ""] = /perigee trust [^<]+/.exec(page) ?? [];
    work.must([...command.split(" ").slice(1), ...there]);
    work.must(["fetch", ...there, "example.com/group/web:1.0.0"]);
    assert.equal(work.perigee(["run", "example.com/group/web:1.0.0"]).status, 7);
  });

  it("SITE-4: a new version is what `latest` gives at once, although it came within the second", () => {
    const latest = () => work.must(["fetch", "--full", ...there, "example.com/group/web"]).trim();
    const first = latest();
    const next = signedImage(work, "example.com/group/web", { version: "1.1.0" });
    work.must(["publish", "--out", "site", "--url", "https://example.com", next]);
    const second = latest();
    assert.notEqual(second, first);
    assert.equal(latest(), second);
  });

  it("T-D08: a download that was killed goes on by a range", async () => {
    const big = signedImage(work, "example.com/big", { ballast: 3_000_000 });
    work.must(["publish", "--out", "site", "--url", "https://example.com", big]);
    work.must(["trust", "--prefix", "example.com/big", "--fingerprint", fingerprint, ...there]);
    const child = work.start(["fetch", ...there, "example.com/big:1.0.0"]);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    while (largestBelow(join(work.data, "store")) < 500_000) {
      assert.equal(child.exitCode, null, "it ended too soon");
      await sleep(20);
    }
    child.kill("SIGKILL");
    await ended;
    work.must(["fetch", ...there, "example.com/big:1.0.0"]);
    const ranges = asked().filter((line) =>
      /^206 GET \/example\.com\/big-1\.0\.0-linux-\w+\.aci "bytes=[1-9]\d*-"$/.test(line),
    );
    assert.equal(ranges.length, 1, asked().join("\n"));
    assert.equal(work.perigee(["run", "example.com/big:1.0.0"]).status, 7);
  });

  it("what is being published is not to be read yet, and pages are HTML", () => {
    const shown = ["--output", work.path("got"), "--write-out", "%{http_code} %{content_type}"];
    const get = (path: string): string => curl(path, ...shown).stdout;
    assert.equal(get("group/web/"), "200 text/html");
    assert.equal(existsSync(work.path("site", ".publishing")), false);
    assert.match(get(".publishing/1"), /^404 /);
  });
});

/** Bytes of the largest file that is being written for an image. */
function largestBelow(directory: string): number {
  const names = existsSync(directory) ? readdirSync(directory, { recursive: true }).map(String) : [];
  const sizes = names
    .filter((name) => !/blobs|trees/.test(name))
    .map((name) => {
      const found = statSync(join(directory, name), { throwIfNoEntry: false });
      return found?.isFile() === true ? found.size : 0;
    });
  return Math.max(0, ...sizes);
}
