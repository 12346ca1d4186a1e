/** Health checks, in pods as users run them (spec/pod-lifecycle.md LIFE-65 to LIFE-67). */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { PodStatus } from "../../src/api/pods.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { loggedText } from "../helpers/logs.ts";
import { Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
const image = "example.com/guest";
before(() => {
  work.stored(image, { exec: ["/guest"] });
  const value = { command: ["/guest", "echo", "of the image"], interval: 0.05, onFailure: "kill" };
  work.stored("example.com/checked", {
    exec: ["/guest", "wait"],
    isolators: [{ name: "perigee/health-check", value }],
  });
});
after(async () => {
  work.must(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

const statusOf = (uuid: string): PodStatus => JSON.parse(work.must(["status", "--format", "json", uuid])) as PodStatus;
const check = (...words: readonly string[]) => ["--health-cmd", JSON.stringify(["/guest", ...words])];

/** The first app as soon as it is what `is` looks for. */
async function appOf(
  uuid: string,
  is: (app: PodStatus["apps"][number]) => boolean,
): Promise<PodStatus["apps"][number]> {
  for (;;) {
    const [app] = statusOf(uuid).apps;
    if (app !== undefined && is(app)) return app;
    await sleep(20);
  }
}

describe("--health-cmd", () => {
  for (const way of [[], ["--private-users=no"], ["--net=host"]]) {
    it(`LIFE-66: a check has the confinement of the app, to the letter: ${way.join(" ") || "by default"}`, async () => {
      for (const verb of ["privileges", "namespaces", "cgroups", "limits", "ids", "env"]) {
        const flags = ["--memory=64Mi", "--oom-score-adj=700", "--health-interval=50ms"];
        await work.inPod([...way, image, ...flags, ...check(verb), "--", verb, ",", "wait"], async (uuid) => {
          const { health } = await appOf(uuid, (app) => app.health?.state === "healthy");
          const own = /^(?:pid|ppid|sid|status\.NSpid)[=:]/;
          const lines = (text: string) => text.split("\n").filter((line) => line !== "" && !own.test(line));
          const log = loggedText(join(statusOf(uuid).directory, "logs", "guest"));
          assert.ok(lines(log).length > 1, log);
          assert.deepEqual(lines(health?.lastOutput ?? ""), lines(log.replace("waiting\n", "")));
        });
      }
    });
  }

  it("LIFE-67: status tells what became of it; the app's log does not", async () => {
    const flags = ["--health-interval=50ms", "--health-retries=2", ...check("error", "no answer", ",", "exit", "3")];
    await work.inPod([image, ...flags, "--", "wait"], async (uuid) => {
      const { health, state } = await appOf(uuid, (app) => app.health?.state === "unhealthy");
      assert.deepEqual([state, health?.lastStatus, health?.lastOutput], ["running", 3, "no answer\n"]);
      assert.ok((health?.failingStreak ?? 0) >= 2);
      assert.match(
        work.must(["status", uuid]),
        /^app-guest\.health=unhealthy\n.*^app-guest\.health\.last-output=no answer$/ms,
      );
      assert.equal(loggedText(join(statusOf(uuid).directory, "logs", "guest")), "waiting\n");
    });
  });

  it("LIFE-65: --health-on-failure=kill ends the pod; with --restart the app begins anew, as starting", async () => {
    const flags = ["--health-interval=50ms", "--health-retries=1", "--health-on-failure=kill", ...check("exit", "1")];
    assert.equal(work.run([image, ...flags, "--", "wait"]).status, 137);
    await work.inPod([image, ...flags, "--restart=on-failure", "--", "wait"], async (uuid) => {
      const { restarts } = await appOf(uuid, (app) => (app.restarts?.count ?? 0) >= 2);
      assert.equal(restarts?.lastExitStatus, 137);
    });
  });

  it("LIFE-65: --health-on-failure=restart asks it to end, and starts it again without any --restart", async () => {
    const flags = [
      "--health-interval=50ms",
      "--health-retries=1",
      "--health-on-failure=restart",
      ...check("absent", "/up"),
    ];
    // It is well until it may be asked to end.
    await work.inPod([image, ...flags, "--", "block", ",", "write", "/up", "", ",", "wait"], async (uuid) => {
      const { restarts } = await appOf(uuid, (app) => (app.restarts?.count ?? 0) >= 1);
      assert.equal(restarts?.lastExitStatus, 40);
      assert.equal(work.perigee(["stop", uuid]).status, 0);
      assert.equal(statusOf(uuid).state, "exited");
    });
  });

  it("LIFE-65: an image may have one, without a say in what follows; --health-cmd none turns it off", async () => {
    const { stderr, stdout } = work.run(["--detach", "example.com/checked"]);
    assert.match(stderr, /perigee\/health-check is modified: .*an image does not say what becomes of an unhealthy app/);
    const uuid = stdout.trim();
    const { health } = await appOf(uuid, (app) => app.health?.state === "healthy");
    assert.equal(health?.lastOutput, "of the image\n");
    work.must(["stop", "--force", uuid]);
    await work.inPod(["example.com/checked", "--health-cmd=none"], async (own) => {
      assert.deepEqual(
        readdirSync(join(statusOf(own).directory, "status")).filter((name) => /health/.test(name)),
        [],
      );
    });
  });

  it("LIFE-65: what makes no sense is refused", () => {
    for (const [flags, message] of [
      [["--health-cmd", "[1]"], /USAGE.*--health-cmd/],
      [["--health-interval=1s"], /USAGE.*--health-cmd/],
      [["--health-cmd", "x", "--health-retries=0"], /USAGE.*--health-retries/],
      [["--health-cmd", "x", "--health-interval=soon"], /USAGE.*--health-interval/],
    ] as const) {
      const { status, stderr } = work.run([image, ...flags]);
      assert.equal(status, 125);
      assert.match(stderr, message);
    }
  });
});
