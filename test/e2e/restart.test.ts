/** Apps that are started again, in pods as users run them (spec/pod-lifecycle.md LIFE-60 to LIFE-64). */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readAppProcess, readRestarts } from "../../src/pod/record.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { loggedText } from "../helpers/logs.ts";
import { type ListedPod, valuesOf, Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const image = "example.com/guest";
before(() => {
  work.stored(image, { exec: ["/guest"] });
  work.stored("example.com/self", {
    exec: ["/guest", "exit", "1"],
    isolators: [{ name: "perigee/restart", value: { policy: "always" } }],
  });
});
after(async () => {
  work.must(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

type App = ListedPod["apps"][number] & {
  readonly restarts?: { readonly count: number; readonly lastExitStatus: number; readonly lastExitedAt: string };
};
interface Shown extends Omit<ListedPod, "apps"> {
  readonly apps: readonly App[];
  readonly directory: string;
}
const directoryOf = (uuid: string) => join(work.data, "pods", "run", uuid);
const statusOf = (uuid: string): Shown => JSON.parse(work.must(["status", "--format", "json", uuid])) as Shown;
const last = (): Shown => statusOf(String(work.pods().at(-1)?.uuid));

/** The first that `look` finds; the files of a pod change under the test. */
async function until<T>(look: () => T | undefined): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    await sleep(20);
  }
}

/** The process of an app that has been started again so often. */
const processOf = (directory: string, app: string, restarts: number) =>
  until(() => {
    const found = readRestarts(directory, app);
    return found !== undefined && !found.isWaiting && found.count >= restarts
      ? readAppProcess(directory, app)
      : undefined;
  });

const ways: readonly (readonly string[])[] = [[], ["--private-users=no"], ["--net=host"]];

describe("--restart", () => {
  for (const way of ways) {
    it(`LIFE-60, ACE-8: starts a failed app again as often as it says, in a new root: ${way.join(" ") || "by default"}`, () => {
      const words = ["list", "/", ",", "write", "/mine", "x", ",", "exit", "5"];
      const { status, stdout, stderr } = work.run([...way, image, "--restart=on-failure:2", "--", ...words]);
      assert.deepEqual([status, stderr], [5, ""]);
      assert.deepEqual(valuesOf(stdout, "write./mine"), ["ok", "ok", "ok"]);
      assert.equal(valuesOf(stdout, "list./").includes("mine"), false, stdout);
      const [app] = last().apps;
      assert.deepEqual([app?.state, app?.exitStatus, app?.restarts?.count], ["exited", 5, 2]);
      assert.equal(app?.restarts?.lastExitStatus, 5);
      assert.ok(Math.abs(Date.parse(app?.restarts?.lastExitedAt ?? "") - Date.now()) < 600_000);
    });
  }

  it("LIFE-60: has the confinement of the first start to the letter, and that of an app that is never started again", () => {
    const words = ["echo", "begin", ",", "all", ",", "try", ",", "echo", "end", ",", "exit", "1"];
    // Numbers of processes, of namespaces that each start has anew, and of mounts, which come in the order of theirs.
    const own = /^(?:pid|ppid|sid|fd\.\d+|init-fd\.\d+|status\.NSpid|ns\.mnt|ns\.cgroup)[=:]/;
    const numbers = /(?<=^mount\.)\d+ \d+ \d+:\d+|(?<=dir=\/proc\/self\/fd\/)\d+/g;
    const reports = (text: string) =>
      [...text.matchAll(/begin\n(.*?)end\n/gs)].map(([, part = ""]) => {
        const lines = part.split("\n").filter((line) => !own.test(line));
        return lines.map((line) => line.replaceAll(numbers, "N")).toSorted();
      });
    const ofPod = /perigee-[0-9a-f-]{36}|[0-9a-f-]{36}|(?<=[ug]id=)\d+|(?<=^uidmap\..*)\d+/g;
    for (const way of [...ways, ["--private-users=no", "--net=host"]]) {
      for (const flags of [["--user=7"], ["--readonly-rootfs", "--memory=64Mi", "--oom-score-adj=700"]]) {
        const { stdout } = work.run([...way, image, ...flags, "--restart=on-failure:2", "--", ...words]);
        const [first, second, third] = reports(stdout);
        assert.ok(first !== undefined && first.length > 100 && first.includes("status.Seccomp:\t2"), stdout);
        assert.deepEqual(second, first);
        assert.deepEqual(third, first);
        const [once] = reports(work.run([...way, image, ...flags, "--", ...words]).stdout);
        const same = (lines: readonly string[] = []) =>
          lines.filter((line) => !/^(?:ns\.|cgroup\.)/.test(line)).map((line) => line.replaceAll(ofPod, "POD"));
        assert.deepEqual(same(once), same(first));
      }
    }
  });

  it("LIFE-60: an image does not say it, a pod manifest does", () => {
    const silent = work.run(["example.com/self"]);
    assert.equal(silent.status, 1);
    assert.match(silent.stderr, /warning: self: isolator perigee\/restart is ignored: an image does not say/);
    const { image: found } = Object(last().apps[0]);
    const app = {
      exec: ["/guest", "exit", "3"],
      user: "0",
      group: "0",
      isolators: [{ name: "perigee/restart", value: { policy: "on-failure", retries: 1 } }],
    };
    const manifest = {
      acKind: "PodManifest",
      acVersion: "0.8.11",
      apps: [{ name: "a", image: { id: found.id }, app }],
    };
    writeFileSync(work.path("pod.json"), JSON.stringify(manifest));
    assert.equal(work.run(["--pod-manifest", work.path("pod.json")]).status, 3);
    assert.equal(last().apps[0]?.restarts?.count, 1);
  });

  it("LIFE-60: holds for a pod that was prepared", () => {
    const line = ["--insecure-options=image", "prepare", image, "--restart=on-failure:1", "--", "exit", "9"];
    const uuid = work.must(line).trim();
    assert.equal(work.perigee(["--insecure-options=image", "run-prepared", uuid]).status, 9);
    assert.equal(statusOf(uuid).apps[0]?.restarts?.count, 1);
  });

  it("LIFE-61: what cannot be started again is refused before anything is made", () => {
    const before = work.pods().length;
    for (const [flags, message] of [
      [["--no-overlay", image, "--restart=always"], /UNSUPPORTED.*copy of the image.*--restart-keep-root/s],
      [["--interactive", image, "--restart=always"], /UNSUPPORTED.*terminal/],
      [[image, "--restart=sometimes"], /USAGE.*no, always, on-failure or on-failure:N/],
      [[image, "--restart-keep-root"], /USAGE.*--restart-keep-root is for an app with --restart/],
    ] as const) {
      const { status, stderr } = work.run(flags);
      assert.equal(status, 125);
      assert.match(stderr, message);
    }
    assert.equal(work.pods().length, before);
  });

  it("LIFE-61: --restart-keep-root keeps what was written, of a copied root too", () => {
    for (const flags of [[], ["--no-overlay"]]) {
      const words = ["list", "/", ",", "write", "/mine", "x", ",", "exit", "1"];
      const { stdout } = work.run([...flags, image, "--restart=on-failure:1", "--restart-keep-root", "--", ...words]);
      assert.equal(valuesOf(stdout, "list./").filter((name) => name === "mine").length, 1, stdout);
    }
  });

  it("LIFE-61: volumes stay: what lies below a recursive one, and what was written to it, is there in every run", () => {
    const source = work.path("volume");
    mkdirSync(source);
    const words = ["list", "/data", ",", "write", "/data/kept", "x", ",", "cat", "/etc/hostname", ",", "exit", "1"];
    for (const volume of [`data,kind=host,source=${source}`, "data,kind=empty"]) {
      const { stdout, stderr } = work.run([
        ...["--hostname=h", "--volume", volume, image, "--mount", "volume=data,target=/data"],
        ...["--restart=on-failure:2", "--", ...words],
      ]);
      assert.equal(valuesOf(stdout, "list./data").filter((name) => name === "kept").length, 2, stdout + stderr);
      assert.equal(stdout.match(/^h$/gm)?.length, 3, stdout);
    }
  });

  it("LIFE-62: nothing of the dead app survives, and what another app runs is left alone", () => {
    const { status, stdout } = work.run([
      ...[image, "--name=a", "--restart=on-failure:2", "--"],
      ...["processes", ",", "fork", "9", ",", "exit", "1", "---"],
      ...[image, "--name=b", "--", "sleep", "60"],
    ]);
    assert.equal(status, 1, stdout);
    const zombies = valuesOf(stdout, "zombies");
    const alive = valuesOf(stdout, "processes").map((count, run) => Number(count) - Number(zombies[run]));
    // init, both apps, and perhaps the last of the process that made a root; at the first b may not have been started yet.
    for (const count of alive.slice(1)) assert.ok(count === 3 || count === 4, stdout);
  });

  it("LIFE-64: stop ends it while it runs and while it waits, and it is not started again", async () => {
    await work.inPod([image, "--restart=always", "--", "wait"], async (uuid) => {
      const directory = directoryOf(uuid);
      const first = await until(() => readAppProcess(directory, "guest"));
      process.kill(first.pid, "SIGKILL");
      const second = await processOf(directory, "guest", 1);
      assert.notEqual(second.pid, first.pid);
      const log = join(directory, "logs", "guest");
      await until(() => loggedText(log).match(/waiting/g)?.[1]);
      assert.equal(statusOf(uuid).apps[0]?.restarts?.lastExitStatus, 137);
      work.must(["stop", uuid]);
      const { state, apps } = statusOf(uuid);
      assert.deepEqual([state, apps[0]?.exitStatus, apps[0]?.restarts?.count], ["exited", 40, 1]);
    });
    // Behind a pause of 12.8 s; should it be over even so, the app does not heed what asks it to stop, and ends as ever.
    await work.inPod([image, "--restart=always", "--", "block", ",", "exit", "6"], async (uuid) => {
      const directory = directoryOf(uuid);
      await until(() => {
        const restarts = readRestarts(directory, "guest");
        return (restarts?.isWaiting === true && restarts.count >= 7) || undefined;
      });
      work.must(["stop", uuid]);
      const { state, apps } = statusOf(uuid);
      assert.deepEqual([state, apps[0]?.exitStatus], ["exited", 6]);
    });
  });

  it("LIFE-64: enter finds the app that was started again", async () => {
    await work.inPod([image, "--restart=always", "--", "wait"], async (uuid) => {
      const directory = directoryOf(uuid);
      const first = await until(() => readAppProcess(directory, "guest"));
      process.kill(first.pid, "SIGKILL");
      await processOf(directory, "guest", 1);
      assert.equal(work.must(["enter", uuid, "/guest", "echo", "there"]), "there\n");
    });
  });

  it("its output is one log, and its directories of earlier runs are gone", async () => {
    await work.inPod(
      [image, "--restart=on-failure:2", "--", "echo", "run", ",", "write", "/x", "x", ",", "exit", "1"],
      async (uuid) => {
        const { directory } = await until(() => {
          const shown = statusOf(uuid);
          return shown.state === "exited" ? shown : undefined;
        });
        assert.equal(loggedText(join(directory, "logs", "guest")).match(/^run$/gm)?.length, 3);
        assert.deepEqual(readdirSync(join(directory, "apps", "guest")).toSorted(), ["upper", "work"]);
        assert.ok(existsSync(join(directory, "apps", "guest", "upper", "x")));
      },
    );
  });
});
