/** Recipes as their user meets them: real commands in real pods, the cache by its counts, failures, and a builder that is killed. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { Running, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
before(() => {
  mkdirSync(work.path("context/files"), { recursive: true });
  copyFileSync(["/bin/busybox", "/usr/bin/busybox"].find(existsSync) ?? "", work.path("context/busybox"));
  writeFileSync(work.path("context/files/page.html"), "<p>hello</p>\n");
});
after(async () => {
  work.must(["gc", "--grace-period=0s", "--expire-layers=0s"]);
  for (const name of ["steps", "logs", "locks", "store/trees"]) {
    assert.deepEqual(readdirSync(join(work.data, "build", name)), [], `RECIPE-51: ${name}`);
  }
  assert.deepEqual(work.pods(), []);
  await work.close();
  await assertNothingLeft(clean);
});

interface Built {
  readonly id: string;
  readonly cached: boolean;
  readonly sbom?: { readonly kind: string };
  readonly check?: { readonly copied: boolean };
  readonly steps: readonly { readonly number: number; readonly cached: boolean }[];
}

function recipe(name: string, text: string): string {
  const path = work.path("context", `${name}.yaml`);
  writeFileSync(path, text);
  return path;
}
const line = (file: string, output: string, ...more: readonly string[]) => [
  "--insecure-options=image",
  "build",
  "-f",
  file,
  "--overwrite",
  "--format",
  "json",
  ...more,
  work.path(output),
];
const build = (...args: Parameters<typeof line>): Built => JSON.parse(work.must(line(...args))) as Built;
const cachedOf = ({ steps }: Built) => steps.map(({ cached }) => cached);

const shell = `
  - copy: { from: busybox, to: /bin/, mode: "0755" }
  - run: [/bin/busybox, --install, -s, /bin]`;
const site = `# yaml-language-server: $schema=../spec/schema/recipe.schema.json
name: example.com/site
labels: { version: 1.0.0 }
steps:${shell}
  - environment: { GREETING: good day }
  - run: |
      mkdir -p /srv/www /tmp/scratch
      echo "$GREETING" > /srv/www/greeting
      echo temporary > /tmp/scratch/file
      mkdir -p /etc
      echo 'www:x:500:500::/srv:/bin/sh' > /etc/passwd
      echo 'www:x:500:' > /etc/group
  - copy: { from: "files/*.html", to: /srv/www/, owner: www:www, mode: "0640" }
  - run: rm -r /tmp/scratch /bin/vi; mv /srv/www/greeting /srv/www/index
    workingDirectory: /srv
exec: [/bin/sh, -c, "cat /srv/www/index; ls -n /srv/www/page.html; id -u; ls -d /tmp/scratch /bin/vi /etc/hostname.made; ls /etc"]
user: www
group: www
workingDirectory: /srv/www
`;

describe("a recipe", () => {
  it("from nothing to a running image: commands, copies, deletions", () => {
    const file = recipe("site", site);
    const first = build(file, "site.aci");
    assert.deepEqual(cachedOf(first), [false, false, false, false, false]);
    const { stdout, stderr } = work.run([work.path("site.aci")]);
    assert.match(stdout, /^good day\n-rw-r----- +1 500 +500 +13 Jan +1 +1970 .*page\.html\n500\n/);
    for (const gone of ["/tmp/scratch", "/bin/vi"]) assert.match(stderr, new RegExp(`${gone}: No such file`));
  });
  it("RECIPE-34: nothing of the pod itself is in the image", () => {
    const { stdout } = work.command(["tar", "-tzf", work.path("site.aci")]);
    assert.doesNotMatch(stdout, /rootfs\/(?:dev|proc|sys|etc\/hostname|etc\/hosts|etc\/resolv\.conf)/);
    assert.match(stdout, /^rootfs\/etc\/passwd$/m);
  });
  it("RECIPE-52: again, all of it is known; done again, it is the same", () => {
    const file = recipe("site", site);
    const second = build(file, "site.aci");
    assert.deepEqual([cachedOf(second), second.cached], [[true, true, true, true, true], true]);
    const third = build(file, "site.aci", "--no-cache");
    assert.deepEqual([cachedOf(third), third.id], [[false, false, false, false, false], second.id]);
  });
  it("RECIPE-52: a changed file does again what follows it, and no more", () => {
    const file = recipe("site", site);
    const before = build(file, "site.aci");
    writeFileSync(work.path("context/files/page.html"), "<p>changed</p>\n");
    const after = build(file, "site.aci");
    assert.deepEqual(cachedOf(after), [true, true, true, false, false]);
    assert.notEqual(after.id, before.id);
  });
  it("SBOM-7: with a bill of what commands installed; again, all of it is known; done again, it is the same", () => {
    const install =
      "mkdir -p /var/lib/dpkg && printf 'Package: made\\nVersion: 2\\nArchitecture: all\\n' > /var/lib/dpkg/status";
    const file = recipe(
      "billed",
      `name: example.com/billed\nsteps:${shell}\n  - run: |\n      ${install}\nexec: [/bin/true]\n`,
    );
    const first = build(file, "billed.aci", "--sbom=cyclonedx", "--check");
    assert.deepEqual([first.sbom?.kind, first.check], ["cyclonedx", { copied: false }]);
    const bill = readFileSync(work.path("billed.aci.cdx.json"), "utf8");
    assert.match(bill, /pkg:deb\/debian\/made@2\?arch=all/);
    const manifest = work.must(["image", "cat-manifest", work.path("billed.aci")]);
    assert.match(
      manifest,
      new RegExp(`perigee/sbom-cyclonedx.*${createHash("sha512").update(bill).digest("hex")}`, "s"),
    );
    const second = build(file, "billed.aci", "--sbom=cyclonedx");
    assert.deepEqual([cachedOf(second), second.cached, second.id], [[true, true, true], true, first.id]);
    assert.equal(readFileSync(work.path("billed.aci.cdx.json"), "utf8"), bill);
    assert.equal(work.run([work.path("billed.aci")]).status, 0);
  });
  it("upon another image, and a directory made anew in it", () => {
    const file = recipe(
      "upon",
      `name: example.com/upon\nbase: ../site.aci\nsteps:\n  - run: rm -rf /srv && mkdir -p /srv/new && ln /bin/busybox /srv/new/box\nexec: [/bin/find, /srv]\n`,
    );
    build(file, "upon.aci");
    assert.deepEqual(
      work.run(["--set-env=PATH=/bin", work.path("upon.aci"), "--user", "0", "--group", "0", "--working-dir", "/"])
        .stdout,
      "/srv\n/srv/new\n/srv/new/box\n",
    );
  });
});

describe("RECIPE-30: a command", () => {
  it("has no network but loopback, no privilege over the host, and cannot write to a layer", () => {
    const file = recipe(
      "confined",
      `name: example.com/confined\nsteps:${shell}\n  - run: |
      ip link show | grep -c '^[0-9]' > /links
      grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status > /status
      mount -t tmpfs none /bin 2> /mount || true
exec: [/bin/cat, /links, /status, /mount]\n`,
    );
    build(file, "confined.aci");
    const { stdout } = work.run([work.path("confined.aci")]);
    assert.match(stdout, /^1\nNoNewPrivs:\t1\nSeccomp:\t2\nmount: .*(?:denied|not permitted)/);
  });
  it("RECIPE-31: runs on layers of which some are the same: steps that change nothing, or the same again", () => {
    const file = recipe(
      "same",
      `name: example.com/same\nsteps:${shell}
  - run: ["/bin/true"]
  - run: ["/bin/true"]
  - write: {to: /x, content: a}
  - write: {to: /x, content: b}
  - write: {to: /x, content: a}
  - run: test "$(cat /x)" = a && rm /x && mkdir /x && touch /x/y
  - write: {to: /x2, content: b}
  - run: ["/bin/true"]
exec: [/bin/find, /x]\n`,
    );
    build(file, "same.aci");
    assert.equal(work.run([work.path("same.aci")]).stdout, "/x\n/x/y\n");
  });
  it("that fails: which, where, why, its log, and how to get there", () => {
    const file = recipe(
      "fails",
      `name: example.com/fails\nsteps:${shell}\n  - run: echo made > /made\n  - run: |\n      echo starting\n      echo "no such thing" >&2\n      exit 7\n`,
    );
    work.must(["gc", "--grace-period=0s"]);
    const { status, stderr } = work.perigee(["build", "-f", file, work.path("fails.aci")]);
    assert.equal(status, 1);
    assert.match(stderr, /error\[STEP_FAILED\]: step 4 of 4 \(.*fails\.yaml:6:5\) ended with status 7/);
    assert.match(
      stderr,
      /starting\n +no such thing\n +the whole log: (\S+)\n +try: perigee build -f \S+fails\.yaml --dir \S+ --shell-at 4/,
    );
    const log = /the whole log: (\S+)/.exec(stderr)?.[1] ?? "";
    assert.equal(work.command(["cat", log]).stdout, "starting\nno such thing\n");
    assert.ok(!existsSync(work.path("fails.aci")));
    assert.deepEqual(work.pods(), []);
    assert.deepEqual(readdirSync(join(work.data, "build/store/staging")), []);
    const inside = work.perigee(["build", "-f", file, "--shell-at", "4"], { input: "cat /made; exit 9\n" });
    assert.deepEqual([inside.status, inside.stdout], [9, "made\n"]);
    assert.deepEqual(work.pods(), [], "RECIPE-53: a shell leaves nothing when it ends");
    assert.deepEqual(readdirSync(join(work.data, "build/store/staging")), []);
  });
  it("RECIPE-30: a line without a shell, a program that is not there, and one that cannot start: what to do", () => {
    const steps = (run: string) =>
      recipe(
        "without",
        `name: example.com/without\nsteps:\n  - copy: { from: busybox, to: /bin/ }\n  - copy: { from: script, to: /, mode: "0755" }\n  - copy: { from: script, to: /plain, mode: "0644" }\n  - run: ${run}\n`,
      );
    writeFileSync(work.path("context/script"), "#!/bin/nowhere\n");
    const failure = (...words: readonly string[]) => {
      const { status, stderr } = work.perigee(["build", "--overwrite", ...words]);
      assert.deepEqual(work.pods(), []);
      return `${status} ${stderr}`;
    };
    const line = failure("-f", steps("echo hi"), work.path("without.aci"));
    assert.match(
      line,
      /^3 [\s\S]*step 4 \(\S+:6:5\): the line cannot be run: there is no \/bin\/sh in the image at that step/,
    );
    assert.match(line, /try: write the command as a list, run: \[/);
    const absent = failure("-f", steps("[/bin/nothing]"), work.path("without.aci"));
    assert.match(
      absent,
      /\/bin\/nothing is not in the image that the steps before have made\n.*\n +try: name a program/,
    );
    const script = failure("-f", steps("[/script]"), work.path("without.aci"));
    assert.match(script, /\/script cannot be executed\n.*interpreter[^\n]*\n +try: .*copy the interpreter/);
    const plain = failure("-f", steps("[/plain]"), work.path("without.aci"));
    assert.match(plain, /\/plain cannot be executed\n.*EACCES.*\n +try: give it a mode/);
    const { status, stderr } = work.perigee(["build", "-f", steps("echo hi"), "--shell-at", "4"]);
    assert.equal(status, 3);
    assert.match(stderr, /--shell-at 4 opens no shell: there is no \/bin\/sh/);
    for (const text of [line, absent, script, plain, stderr]) assert.doesNotMatch(text, /--exec/);
    assert.deepEqual(work.pods(), []);
  });
  it("RECIPE-30: --shell-at says what it would pass over", () => {
    const file = recipe("shell", `name: example.com/shell\nsteps:${shell}\n`);
    for (const more of [[work.path("shell.aci")], ["--check"], ["--sbom"], ["--overwrite"]]) {
      const { status, stderr } = work.perigee(["build", "-f", file, "--shell-at", "2", ...more]);
      assert.deepEqual([status, /builds nothing/.test(stderr)], [2, true], stderr);
    }
    assert.deepEqual(work.pods(), []);
  });
});

describe("a builder that is killed", () => {
  it("RECIPE-53: its pod ends with it; gc takes the rest, and the next build goes on where it was", async () => {
    const file = recipe(
      "killed",
      `name: example.com/killed\nsteps:${shell}\n  - run: echo one > /one\n  - run: "[ -e /bin/stop ] || exec sleep 1000"\n`,
    );
    const running = new Running(work.start(["build", "-f", file, work.path("killed.aci")]));
    const pod = await untilPod();
    running.child.kill("SIGKILL");
    await running.ended;
    await untilEnded(pod);
    assert.ok(!existsSync(work.path("killed.aci")));
    build(recipe("next", "name: example.com/next\n"), "next.aci");
    assert.deepEqual(work.pods(), [], "RECIPE-53: its pod is removed by the next build");
    work.must(["gc", "--grace-period=0s"]);
    assert.deepEqual(
      [readdirSync(join(work.data, "build/store/staging")), readdirSync(join(work.data, "build/store/trash"))],
      [[], []],
    );
    const changed = recipe(
      "killed",
      `name: example.com/killed\nsteps:${shell}\n  - run: echo one > /one\n  - run: echo two > /two\n`,
    );
    assert.deepEqual(cachedOf(build(changed, "killed.aci")), [true, true, true, false]);
  });
  it("RECIPE-53: one that is interrupted leaves nothing itself", async () => {
    const file = recipe("interrupted", `name: example.com/interrupted\nsteps:${shell}\n  - run: sleep 1000\n`);
    const running = new Running(work.start(["build", "-f", file, work.path("interrupted.aci")]));
    await untilPod();
    running.child.kill("SIGINT");
    assert.equal(await running.ended, 130);
    assert.deepEqual(work.pods(), []);
    assert.deepEqual(readdirSync(join(work.data, "build/store/staging")), []);
  });
});

describe("a shell of --shell-at", () => {
  const start = (name: string) => {
    const file = recipe(name, `name: example.com/${name}\nsteps:${shell}\n  - run: echo one > /one\n`);
    return new Running(work.start(["build", "-f", file, "--shell-at", "3"]));
  };
  it("RECIPE-53: one whose process is killed ends with it; gc takes what is left", async () => {
    const running = start("killed-shell");
    const pod = await untilPod();
    running.child.kill("SIGKILL");
    await running.ended;
    await untilEnded(pod);
    work.must(["gc", "--grace-period=0s"]);
    assert.deepEqual(work.pods(), []);
    assert.deepEqual(readdirSync(join(work.data, "build/store/staging")), []);
  });
  it("RECIPE-53: one whose process is asked to end leaves nothing itself", async () => {
    const running = start("asked-shell");
    await untilPod();
    running.child.kill("SIGTERM");
    assert.equal(await running.ended, 143);
    assert.deepEqual(work.pods(), []);
    assert.deepEqual(readdirSync(join(work.data, "build/store/staging")), []);
  });
});

describe("two builders", () => {
  it("RECIPE-50: share what they make: every step is done once", async () => {
    const file = recipe(
      "both",
      `name: example.com/both\nsteps:${shell}\n  - run: sleep 1; echo a > /a\n  - run: sleep 1; echo b > /b\n  - write: { to: /c, content: c }\n`,
    );
    const builders = ["both-1.aci", "both-2.aci"].map((output) => new Running(work.start(line(file, output))));
    assert.deepEqual(
      await Promise.all(builders.map(({ ended }) => ended)),
      [0, 0],
      builders.map(({ stderr }) => stderr).join("\n"),
    );
    const [one, two] = builders.map(({ stdout }) => JSON.parse(stdout) as Built);
    assert.ok(one !== undefined && two !== undefined);
    assert.equal(one.id, two.id);
    const done = [3, 4, 5].map(
      (number) => [one, two].filter(({ steps }) => steps.some((step) => step.number === number && !step.cached)).length,
    );
    assert.deepEqual(done, [1, 1, 1]);
  });
});

async function untilPod(): Promise<string> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const pod = work.pods().find(({ state, apps }) => state === "running" && apps[0]?.state === "running");
    if (pod !== undefined) {
      await sleep(300);
      if (work.pods().some(({ uuid, state }) => uuid === pod.uuid && state === "running")) return pod.uuid;
    }
    await sleep(50);
  }
  throw new Error("no command was started");
}

async function untilEnded(uuid: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (!work.pods().some((pod) => pod.uuid === uuid && pod.state === "running")) return;
    await sleep(50);
  }
  throw new Error("the pod outlived its builder");
}
