/** `publish` killed at each of its steps (SITE-3): what is served is the old site or one whose every file fits, and the next publish ends the work. */
import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { type Outcome, program, Workspace } from "../helpers/program.ts";
import { ownKey, signedImage } from "../helpers/site-world.ts";

const clean = leakSnapshot();
const work = new Workspace();
const publishing = (site: string, ...images: readonly string[]) => [
  "publish",
  "--out",
  site,
  "--url",
  "https://example.com",
  ...images,
];
let images: readonly string[] = [];
/** What the site is before and after, by path. */
let old: ReadonlyMap<string, string> = new Map();
let whole: ReadonlyMap<string, string> = new Map();

function filesOf(site: string): ReadonlyMap<string, string> {
  const names = readdirSync(work.path(site), { recursive: true }).map(String);
  const files = names.filter((name) => statSync(work.path(site, name)).isFile());
  return new Map(files.sort().map((name) => [name, readFileSync(work.path(site, name), "latin1")]));
}

/** The files but those whose content depends on inodes. */
function comparable(files: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  return [...files].filter(([name]) => name !== "site.json");
}

before(() => {
  ownKey(work, "Ann");
  const first = signedImage(work, "example.com/web");
  work.must(publishing("old", first));
  old = filesOf("old");
  // The image of the same version again, with other content, and a new one, which is `latest` then.
  images = [
    signedImage(work, "example.com/web", { ballast: 5000 }),
    signedImage(work, "example.com/web", { version: "1.1.0", ballast: 5000 }),
  ];
  cpSync(work.path("old"), work.path("whole"), { recursive: true });
  work.must(publishing("whole", ...images));
  whole = filesOf("whole");
});
after(async () => {
  await work.close();
  await assertNothingLeft(clean);
});

/** Publishes into a copy of the old site, killed when it makes the call for the `count`th time. */
function killedAt(call: string, count: number): Outcome {
  rmSync(work.path("site"), { recursive: true, force: true });
  cpSync(work.path("old"), work.path("site"), { recursive: true });
  const kill = ["-e", `trace=/^(${call}|rename|unlink)`, "-e", `inject=/^${call}:signal=SIGKILL:when=${count}`];
  const strace = ["strace", "--follow-forks", "-qq", "-o", work.path("trace"), ...kill];
  return work.command([...strace, program, ...work.globals, ...publishing("site", ...images)]);
}

/** Every link of a page leads somewhere, but to the signature of an image that is being replaced; every signature is of the image beside it. */
function requireSound(files: ReadonlyMap<string, string>): void {
  for (const [name, text] of files) {
    const links = name.endsWith(".html") ? [...text.matchAll(/href="(\.[^"]*)"/g)].map(([, link = ""]) => link) : [];
    for (const link of links) {
      const target = join(dirname(name), decodeURIComponent(link));
      if (target.endsWith(".asc") && old.has(target)) continue;
      assert.ok(
        files.has(target) || files.has(join(target, "index.html")),
        `${name} leads to ${target}, which is not there`,
      );
    }
    if (!name.endsWith(".aci") || !files.has(`${name}.asc`)) continue;
    const isPair = (site: ReadonlyMap<string, string>): boolean =>
      site.get(name) === text && site.get(`${name}.asc`) === files.get(`${name}.asc`);
    assert.ok(isPair(old) || isPair(whole), `the signature of ${name} is of another image`);
  }
}

describe("SITE-3: publish killed at", () => {
  for (const call of ["fsync", "rename", "unlink"]) {
    it(`each ${call}: what is there fits together, and is the old site before the first change; the next one ends the work`, () => {
      let kills = 0;
      for (let count = 1; count <= 40; count++) {
        const { status } = killedAt(call, count);
        if (status === 0) break;
        kills += 1;
        const files = new Map([...filesOf("site")].filter(([name]) => dirname(name) !== ".publishing"));
        requireSound(files);
        const hasBegun = /\b(?:rename|unlink)/.test(readFileSync(work.path("trace"), "latin1"));
        if (!hasBegun) assert.deepEqual([...files], [...old], `${call} ${count}`);
        if (count % 4 !== 1) continue;
        work.must(publishing("site", ...images));
        assert.deepEqual(comparable(filesOf("site")), comparable(whole));
        assert.equal(existsSync(work.path("site", ".publishing")), false);
      }
      assert.ok(kills > 0, `${call} was never made`);
    });
  }
});
