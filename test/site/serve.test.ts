import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { silentLog } from "../../src/base/log.ts";
import { discover } from "../../src/fetch/discover.ts";
import { createHttpClient, parseConnectTo } from "../../src/http/client.ts";
import { publishSite } from "../../src/site/publish.ts";
import { type RunningSite, type ServeSiteOptions, serveSite } from "../../src/site/serve.ts";
import { failure } from "../helpers/trust.ts";

const key = "11".repeat(20);
const run = promisify(execFile);
let directory = "";
let site: RunningSite;
const at = (...names: readonly string[]): string => join(directory, ...names);

async function publish(name: string, content: string): Promise<void> {
  writeFileSync(at("image.aci"), content);
  const image = { name, version: "1.0.0", os: "linux", arch: "amd64", path: at("image.aci") };
  await publishSite({
    directory: at("site"),
    url: "https://example.com/images",
    images: [{ ...image, signature: Buffer.from("signature"), signers: [key] }],
    keys: [{ fingerprint: key, armored: Buffer.from("key") }],
  });
}

function start(options: Partial<ServeSiteOptions> = {}): Promise<RunningSite> {
  return serveSite({
    directory: at("site"),
    address: "127.0.0.1",
    port: 0,
    authorityDirectory: at("authority"),
    hosts: ["extra.example"],
    log: silentLog,
    ...options,
  });
}

before(async () => {
  directory = mkdtempSync(join(tmpdir(), `perigee-test-${process.pid}-`));
  await publish("example.org/group/web", "the image");
  site = await start();
});
after(async () => {
  await site.close();
  rmSync(directory, { recursive: true });
});

/** What curl prints, with the certificate of our authority as the only one it knows. */
async function curl(url: string, ...args: readonly string[]): Promise<string> {
  const host = new URL(url).hostname;
  const to = ["--cacert", site.caFile, "--connect-to", `${host}:443:127.0.0.1:${site.port}`];
  return (await run("curl", ["--silent", "--show-error", "--fail", "--noproxy", "*", ...to, ...args, url])).stdout;
}

const client = () =>
  createHttpClient({
    caFiles: [site.caFile],
    connectTo: ["example.com", "example.org", "late.example"].map((host) =>
      parseConnectTo(`${host}:127.0.0.1:${site.port}`),
    ),
    insecureTls: false,
    insecureHttp: false,
    log: silentLog,
  });

describe("serveSite", () => {
  it("DISC-1…7: an image of another host is discovered and all it needs is there", async () => {
    const http = client();
    const labels = ["version=1.0.0", "os=linux", "arch=amd64"].map((text) => {
      const [name = "", value = ""] = text.split("=");
      return { name, value };
    });
    for (const [name, file] of [
      ["example.org/group/web", "web"],
      ["example.org/group", undefined],
      ["example.org/group/web/not/there", undefined],
    ] as const) {
      const { endpoints, keys } = await discover(http, name, labels, { insecureHttp: false });
      assert.equal(endpoints.length, 1, name);
      assert.deepEqual(keys, [`https://example.com/images/keys/${key}.asc`]);
      if (file === undefined) continue;
      const { image = "", signature = "" } = endpoints[0] ?? {};
      assert.equal(String(await (await http.get(image)).bytes(100)), "the image");
      assert.equal(String(await (await http.get(signature)).bytes(100)), "signature");
    }
    assert.equal(String(await (await http.get(`https://example.com/images/keys/${key}.asc`)).bytes(100)), "key");
  });

  it("curl reads it, whole, in parts and only when it changed", async () => {
    const url = "https://example.com/images/example.org/group/web-1.0.0-linux-amd64.aci";
    assert.equal(await curl(url), "the image");
    assert.equal(await curl(url, "--range", "4-8"), "image");
    assert.match(await curl(url, "--head"), /^HTTP\/1.1 200 OK\r\n/);
    await curl(url, "--etag-save", at("etag"), "--output", at("got"));
    assert.equal(await curl(url, "--etag-compare", at("etag"), "--write-out", "%{http_code}"), "304");
    assert.equal(
      await curl(
        "https://example.org/group/web?ac-discovery=1",
        "--write-out",
        "%{content_type}",
        "--output",
        at("got"),
      ),
      "text/html; charset=utf-8",
    );
    assert.match(readFileSync(at("got"), "utf8"), /ac-discovery-pubkeys/);
    await assert.rejects(curl(url, "--data", "x"), /405/);
    await assert.rejects(curl("https://example.com/images/..%2f..%2fetc/passwd", "--path-as-is"), /404/);
  });

  it("curl refuses it without our authority, and by a name it does not have", async () => {
    const direct = (host: string, ...args: readonly string[]) =>
      run("curl", [
        "--silent",
        "--show-error",
        "--noproxy",
        "*",
        "--connect-to",
        `${host}:443:127.0.0.1:${site.port}`,
        ...args,
        `https://${host}/`,
      ]);
    await assert.rejects(direct("example.com"), /certificate/);
    await assert.rejects(direct("stranger.example", "--cacert", site.caFile), /subject name|does not match/);
  });

  it("openssl s_client: verified, by name and address, TLS 1.2 and 1.3 and nothing older", async () => {
    const talk = async (...args: readonly string[]): Promise<string> => {
      const child = spawn(
        "openssl",
        ["s_client", "-connect", `127.0.0.1:${site.port}`, "-CAfile", site.caFile, "-verify_return_error", ...args],
        { stdio: ["pipe", "pipe", "ignore"] },
      );
      child.stdin.end("Q\n");
      let text = "";
      for await (const part of child.stdout) text += part;
      return text;
    };
    for (const host of ["example.com", "example.org", "extra.example", "localhost"]) {
      assert.match(await talk("-servername", host, "-verify_hostname", host), /Verify return code: 0 \(ok\)/, host);
    }
    assert.match(await talk("-noservername", "-verify_ip", "127.0.0.1"), /Verify return code: 0 \(ok\)/);
    assert.match(await talk("-tls1_3"), /New, TLSv1.3/);
    assert.match(await talk("-tls1_2"), /New, TLSv1.2/);
    assert.match(await talk("-tls1_1"), /Cipher is \(NONE\)/);
  });

  it("only hosts of the site have a directory; an unknown one, as an address, sees the whole", async () => {
    const get = async (host: string, path: string): Promise<string> =>
      await curl(
        `https://localhost${path}`,
        "--header",
        `Host: ${host}`,
        "--write-out",
        "%{http_code}",
        "--output",
        at("got"),
        "--no-fail",
      ).catch((error) => String(error.stdout));
    assert.equal(await get("example.org", "/group/web/"), "200");
    assert.equal(await get("example.com", "/site.json"), "404");
    assert.equal(await get("example.com", "/images/site.json"), "200");
    assert.equal(await get("127.0.0.1", "/example.org/group/web/index.html"), "200");
    assert.equal(await get("..", "/authority/authority.pem"), "404");
    assert.equal(await get("keys", `/${key}.asc`), "404");
  });

  it("many clients at the same time", async () => {
    const http = client();
    const url = "https://example.com/images/example.org/group/web-1.0.0-linux-amd64.aci";
    const answers = await Promise.all(
      Array.from({ length: 40 }, async () => String(await (await http.get(url)).bytes(100))),
    );
    assert.deepEqual(new Set(answers), new Set(["the image"]));
  });

  it("what is published while it runs is served at once, a new host in the certificate", async () => {
    await assert.rejects(curl("https://late.example/x/"), /subject name|does not match/);
    await publish("late.example/x", "late");
    assert.match(await curl("https://late.example/x/"), /ac-discovery/);
    assert.equal(await curl("https://example.com/images/late.example/x-1.0.0-linux-amd64.aci"), "late");
  });

  it("a catalogue that is damaged meanwhile takes nothing away", async () => {
    const catalogue = readFileSync(at("site/site.json"));
    writeFileSync(at("site/site.json"), "{");
    assert.match(await curl("https://example.org/group/web/"), /ac-discovery/);
    writeFileSync(at("site/site.json"), catalogue);
  });

  it("a directory that is no site is served as it is", async () => {
    mkdirSync(at("plain"));
    writeFileSync(at("plain/hello.txt"), "hello");
    const plain = await start({ directory: at("plain") });
    const { stdout } = await run("curl", [
      "--silent",
      "--noproxy",
      "*",
      "--cacert",
      plain.caFile,
      `${plain.url}/hello.txt`,
    ]);
    assert.equal(stdout, "hello");
    await plain.close();
  });

  it("ends after what was asked is answered, and is gone then", async () => {
    const other = await start();
    writeFileSync(at("site/big.txt"), Buffer.alloc(3_000_000, "x"));
    const args = [
      "--silent",
      "--noproxy",
      "*",
      "--cacert",
      other.caFile,
      "--limit-rate",
      "6M",
      "--output",
      at("big"),
      "--write-out",
      "%{size_download}",
    ];
    const child = spawn("curl", [...args, `${other.url}/big.txt`], { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.on("data", (part) => {
      said += part;
    });
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    while (!existsSync(at("big"))) await new Promise((resolve) => setImmediate(resolve));
    await other.close();
    await ended;
    assert.equal(said, "3000000");
    await assert.rejects(
      run("curl", ["--silent", "--show-error", "--noproxy", "*", "--cacert", other.caFile, other.url]),
      /refused|connect/,
    );
  });

  it("says what is in the way", async () => {
    await assert.rejects(start({ port: site.port }), failure("IO_FAILED", /something else listens/));
    await assert.rejects(start({ directory: at("missing") }), failure("NOT_FOUND", /missing/));
    await assert.rejects(start({ directory: at("image.aci") }), failure("IO_FAILED", /not a directory/));
  });
});
