/** The pages of a site in Chromium, from `perigee serve` with its own authority: what it understands, and how it looks, with scripts and without. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { Browser } from "../helpers/browser.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { readPng } from "../helpers/png.ts";
import { type Outcome, Workspace } from "../helpers/program.ts";
import { caFile, ownKey, serveSite, signedImage } from "../helpers/site-world.ts";

const clean = leakSnapshot();
const work = new Workspace();
const arch = process.arch === "arm64" ? "aarch64" : "amd64";
const webPage = `https://example.com/example.com/group/web-1.10.0-linux-${arch}.aci.html`;
const evil = `</code></pre><script>document.title = "owned"</script><img src="https://evil.example/x" onerror="document.title = 'owned'">`;
let fingerprint = "";
let port = 0;

/** The browser with a profile of its own below `home`; nothing but the site can be reached. */
function chromium(home: string): readonly string[] {
  mkdirSync(work.path(home, "tmp"), { recursive: true });
  return [
    "chromium",
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    `--host-resolver-rules=MAP example.com:443 127.0.0.1:${port}, MAP * ~NOTFOUND`,
    `--user-data-dir=${work.path(home, "profile")}`,
  ];
}

function homeOf(home: string): Readonly<Record<string, string>> {
  return { HOME: work.path(home), TMPDIR: work.path(home, "tmp") };
}

/** Runs the browser on one page. */
function browse(url: string, args: readonly string[], home = "home"): Outcome {
  const outcome = work.command([...chromium(home), ...args, url], { env: homeOf(home) });
  assert.equal(outcome.status, 0, outcome.stderr);
  return outcome;
}

/** The page as the browser understood it. */
function dom(url: string): string {
  const { stdout, stderr } = browse(url, ["--dump-dom"]);
  assert.doesNotMatch(stderr, /Refused to|Content Security Policy/, "the page keeps its own policy");
  return stdout;
}

function picture(url: string, args: readonly string[]): Buffer {
  const path = work.path("picture.png");
  rmSync(path, { force: true });
  browse(url, [...args, `--screenshot=${path}`]);
  return readFileSync(path);
}

before(async () => {
  fingerprint = ownKey(work, "Ann");
  const uses = (imageName: string) => ({ dependencies: [{ imageName }] });
  const images = [
    signedImage(work, "example.com/base"),
    signedImage(work, "example.com/libs", { version: "3.0.0", manifest: uses("example.com/base") }),
    signedImage(work, "example.com/group/web", { version: "1.9.0" }),
    signedImage(work, "example.com/group/web", {
      version: "1.10.0",
      manifest: {
        ...uses("example.com/libs"),
        annotations: [
          { name: "homepage", value: "https://example.com/about?a=1&b=2" },
          { name: "authors", value: evil },
        ],
      },
    }),
  ];
  work.must(["publish", "--out", "site", "--url", "https://example.com", ...images]);
  port = await serveSite(work, "site");
  // The browser believes our authority as a person would make it: by its certificate, not by being told to look away.
  const database = `sql:${work.path("home", ".pki", "nssdb")}`;
  mkdirSync(work.path("home", ".pki", "nssdb"), { recursive: true });
  for (const args of [
    ["-N", "--empty-password"],
    ["-A", "-t", "C,,", "-n", "perigee", "-i", caFile(work)],
  ]) {
    assert.equal(work.command(["certutil", "-d", database, ...args]).status, 0);
  }
});
after(async () => {
  await work.close();
  await assertNothingLeft(clean);
});

describe("pages in a browser (SITE-6)", () => {
  it(`the site's page lists every name with its newest version and signer`, () => {
    const html = dom("https://example.com/");
    assert.match(html, /<title>example\.com<\/title>/);
    for (const [name, version] of [
      ["base", "1.0.0"],
      ["libs", "3.0.0"],
      ["group/web", "1.10.0"],
    ] as const) {
      assert.match(html, new RegExp(`<a href="\\./${name}/">example\\.com/${name}</a>`));
      assert.match(html, new RegExp(`/${name}-${version}-linux-${arch}\\.aci\\.html">${version}</a>`));
    }
    assert.match(html, /Ann &lt;ann@example\.com&gt;/);
  });

  it(`an image's page shows all of it, and nothing of a manifest becomes part of the page`, () => {
    const html = dom(webPage);
    assert.match(html, /<title>example\.com\/group\/web 1\.10\.0<\/title>/);
    assert.ok(html.includes(`perigee trust --prefix example.com/group/web --fingerprint ${fingerprint}`));
    assert.match(
      html,
      /<ul class="tree"><li><a [^>]*>example\.com\/libs 3\.0\.0<\/a><ul><li><a [^>]*>example\.com\/base 1\.0\.0<\/a>/,
    );
    assert.match(html, /<a href="https:\/\/example\.com\/about\?a=1&amp;b=2" rel="nofollow noopener noreferrer">/);
    assert.ok(html.includes("&lt;script&gt;document.title"), "it is shown as text");
    assert.doesNotMatch(html, /<script|<img/);
  });

  it("the address of a directory leads to its slash, and links are relative to it", () => {
    const html = dom("https://example.com/group/web");
    assert.match(html, /<h1>example\.com\/group\/web<\/h1>/);
    assert.match(html, new RegExp(`href="\\./\\.\\./\\.\\./example\\.com/group/web-1\\.10\\.0-linux-${arch}\\.aci"`));
  });

  for (const [name, size, args] of [
    ["desk", "1200,1600", []],
    ["phone", "500,1600", []],
    ["dark", "1200,1600", ["--blink-settings=preferredColorScheme=0"]],
  ] as const) {
    it(`is a picture of something: ${name}`, () => {
      const { width, height, distinctLines } = readPng(picture(webPage, [...args, `--window-size=${size}`]));
      assert.equal(`${width},${height}`, size);
      assert.ok(distinctLines > 200, `${distinctLines} distinct lines`);
    });
  }

  it("is and looks the same when scripts are switched off", async () => {
    const browser = new Browser(chromium("home"), { ...work.env, ...homeOf("home") });
    try {
      const both = async (url: string) => {
        return [await browser.look(url, { scripts: true }), await browser.look(url, { scripts: false })] as const;
      };
      // That the switch switches: a page that a script writes is another one with it.
      writeFileSync(work.path("site", "painted.html"), "<body><script>document.body.innerHTML = '<p>painted'</script>");
      const [painted, plain] = await both("https://example.com/painted.html");
      assert.match(painted.html, /<p>painted<\/p>/);
      assert.doesNotMatch(plain.html, /<p>painted<\/p>/);
      for (const page of ["https://example.com/", "https://example.com/group/web/", webPage]) {
        const [on, off] = await both(page);
        assert.match(off.html, /<h1>example\.com/);
        assert.equal(off.html, on.html, page);
        assert.deepEqual(off.png, on.png, page);
        assert.ok(readPng(off.png).distinctLines > 100);
      }
    } finally {
      await browser.close();
    }
  });

  it("a browser that does not know the authority shows something else", () => {
    const { stdout } = browse("https://example.com/", ["--dump-dom"], "stranger");
    assert.doesNotMatch(stdout, /example\.com\/group\/web/);
  });
});
