/** curl and wget as clients of `perigee serve`: what every HTTP client may ask is answered as RFC 9110 says. */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { Workspace } from "../helpers/program.ts";
import { caFile, ownKey, serveSite, signedImage } from "../helpers/site-world.ts";

const clean = leakSnapshot();
const work = new Workspace();
const file = "example.com/web-1.0.0-linux-amd64.aci".replace("amd64", process.arch === "arm64" ? "aarch64" : "amd64");
let image = "";
let base = "";

/** Status and headers of one request, in lines. */
function curl(
  path: string,
  ...args: readonly string[]
): { readonly status: number; readonly head: string; readonly body: Buffer } {
  const options = ["--silent", "--show-error", "--noproxy", "*", "--cacert", caFile(work), "--path-as-is"];
  const files = ["--output", work.path("body"), "--dump-header", work.path("head")];
  writeFileSync(work.path("body"), "");
  const { status, stdout, stderr } = work.command([
    "curl",
    ...options,
    ...files,
    "--write-out",
    "%{http_code}",
    ...args,
    `${base}${path}`,
  ]);
  assert.equal(status, 0, stderr);
  return {
    status: Number(stdout),
    head: readFileSync(work.path("head"), "utf8"),
    body: readFileSync(work.path("body")),
  };
}

function wget(path: string, ...args: readonly string[]): { readonly status: number; readonly stderr: string } {
  return work.command([
    "wget",
    "--no-proxy",
    `--ca-certificate=${caFile(work)}`,
    "--tries=1",
    ...args,
    `${base}${path}`,
  ]);
}

before(async () => {
  ownKey(work, "Ann");
  image = signedImage(work, "example.com/web", { ballast: 300_000 });
  work.must(["publish", "--out", "site", "--url", "https://example.com", image]);
  base = `https://localhost:${await serveSite(work, "site")}/`;
});
after(async () => {
  await work.close();
  await assertNothingLeft(clean);
});

describe("curl (SITE-1)", () => {
  it("HEAD says what GET would send, whatever range is asked", () => {
    const { status, head, body } = curl(file, "--head", "--range", "0-9");
    assert.equal(status, 200);
    assert.match(head, new RegExp(`\r\nContent-Length: ${statSync(image).size}\r\n`));
    assert.match(head, /\r\nAccept-Ranges: bytes\r\n/);
    assert.match(head, /\r\nETag: "[^"]+"\r\n/);
    assert.match(head, /\r\nLast-Modified: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
    assert.equal(String(body), head, "nothing but the headers, which curl prints");
  });

  it("T-D08: -C - goes on where a download broke off, and the whole is the image", () => {
    copyFileSync(image, work.path("part.aci"));
    truncateSync(work.path("part.aci"), 100_000);
    const options = ["--silent", "--show-error", "--noproxy", "*", "--cacert", caFile(work), "--continue-at", "-"];
    const { status, stdout } = work.command([
      "curl",
      ...options,
      "--output",
      work.path("part.aci"),
      "--write-out",
      "%{http_code} %{size_download}",
      `${base}${file}`,
    ]);
    assert.equal(status, 0);
    assert.equal(stdout, `206 ${statSync(image).size - 100_000}`);
    assert.ok(readFileSync(work.path("part.aci")).equals(readFileSync(image)));
  });

  it("ranges: one is sent, several or nonsense are the whole, none to be had is 416", () => {
    const whole = readFileSync(image);
    const { size } = statSync(image);
    for (const [range, status, from, to] of [
      ["5-9", 206, 5, 10],
      ["-7", 206, size - 7, size],
      [`${size - 1}-${size + 50}`, 206, size - 1, size],
      ["0-1,5-6", 200, 0, size],
      ["9-5", 200, 0, size],
      ["x-y", 200, 0, size],
    ] as const) {
      const got = curl(file, "--header", `Range: bytes=${range}`);
      assert.equal(got.status, status, range);
      assert.ok(got.body.equals(whole.subarray(from, to)), range);
      if (status === 206) assert.match(got.head, new RegExp(`\r\nContent-Range: bytes ${from}-${to - 1}/${size}\r\n`));
    }
    const beyond = curl(file, "--header", `Range: bytes=${size}-`);
    assert.equal(beyond.status, 416);
    assert.match(beyond.head, new RegExp(`\r\nContent-Range: bytes \\*/${size}\r\n`));
  });

  it("conditions: 304 for what it has, 412 for what it does not mean", () => {
    const tag = /\r\nETag: ([^\r]+)/.exec(curl(file, "--head").head)?.[1] ?? "";
    for (const [header, status] of [
      [`If-None-Match: ${tag}`, 304],
      [`If-None-Match: "x", W/${tag}`, 304],
      ['If-None-Match: "x"', 200],
      [`If-Match: ${tag}`, 200],
      ['If-Match: "x"', 412],
      ["If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 412],
      ["If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 200],
      ["If-Modified-Since: nonsense", 200],
    ] as const) {
      const got = curl(file, "--header", header);
      assert.equal(got.status, status, header);
      assert.equal(got.body.length, { 200: statSync(image).size, 304: 0, 412: 22 }[status] ?? -1, header);
    }
    assert.equal(curl(file, "--time-cond", work.path("site", file)).status, 304);
    const stale = curl(file, "--header", "Range: bytes=0-1", "--header", 'If-Range: "x"');
    assert.equal(stale.status, 200);
  });

  it("methods: nothing but GET and HEAD", () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]) {
      const { status, head } = curl(file, "--request", method);
      assert.equal(status, 405, method);
      assert.match(head, /\r\nAllow: GET, HEAD\r\n/);
    }
    assert.equal(curl(file, "--data-binary", `@${image}`).status, 405);
  });

  it("paths: no way out, nothing hidden", () => {
    writeFileSync(work.path("secret"), "secret");
    writeFileSync(work.path("site", ".hidden"), "secret");
    for (const path of [
      "../secret",
      "%2e%2e/secret",
      "..%2fsecret",
      "example.com/../../secret",
      "/etc/passwd",
      ".hidden",
      ".publishing/1",
      "%00",
      "keys/..%5c..%5csecret",
    ]) {
      const { status, body } = curl(path);
      assert.deepEqual([status, String(body)], [404, "not found\n"], path);
    }
  });

  it("SITE-2: a page ends in a slash, for browsers", () => {
    assert.match(curl("web").head, /^HTTP\/1\.1 301 [\s\S]*\r\nLocation: \/web\/\r\n/);
    assert.equal(curl("web?ac-discovery=1").status, 200);
    assert.equal(curl("web", "--location").status, 200);
  });
});

describe("wget (SITE-1)", () => {
  it("T-D08: --continue goes on where a download broke off", () => {
    copyFileSync(image, work.path("wget.aci"));
    truncateSync(work.path("wget.aci"), 123_456);
    const { status, stderr } = wget(file, "--continue", "-O", work.path("wget.aci"));
    assert.equal(status, 0, stderr);
    assert.match(stderr, /206 Partial Content/);
    assert.ok(readFileSync(work.path("wget.aci")).equals(readFileSync(image)));
    assert.match(wget(file, "--continue", "-O", work.path("wget.aci")).stderr, /416 |nothing to do/);
  });

  it("--timestamping does not get what has not changed", () => {
    const args = ["--timestamping", "-P", work.path("mirror")];
    assert.match(wget(file, ...args).stderr, /200 OK/);
    assert.match(wget(file, ...args).stderr, /304 Not Modified/);
  });

  it("--spider asks by HEAD", () => {
    assert.equal(wget(file, "--spider").status, 0);
    assert.equal(wget("missing", "--spider").status, 8);
  });

  it("SITE-6: --recursive follows every link of every page, and none leads nowhere", () => {
    const { status, stderr } = wget("", "--recursive", "--level=9", "-e", "robots=off", "-P", work.path("whole"));
    assert.equal(status, 0, stderr);
    const host = new URL(base).host.replace(":", "+");
    const path = [host, new URL(base).host].map((name) => work.path("whole", name, `${file}.html`));
    assert.ok(
      path.some((name) => statSync(name, { throwIfNoEntry: false }) !== undefined),
      stderr,
    );
  });
});
