import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import command from "../../src/cli/commands/status.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { writePodRecord } from "../../src/pod/record.ts";
import { fails } from "../helpers/failures.ts";
import { type Given, invoke, settingsIn, temporary } from "../helpers/trust.ts";

const path = temporary();
const apps = ["web", "log"].map((name) => ({
  name,
  imageId: "sha512-aa",
  imageName: `example.com/${name}`,
  treeId: "t",
}));

/** A pod whose first app has ended with 3. */
function makePod(): Pod {
  const pod = Pod.create(openPods(path("data")));
  const createdAt = "2026-01-01T00:00:00.000Z";
  writePodRecord(pod.directory, { uuid: pod.uuid, createdAt, apps, network: "host", hostname: "h", cgroups: [] });
  writeFileSync(join(pod.directory, "pid"), "4194304 1\n");
  mkdirSync(join(pod.directory, "status"));
  writeFileSync(join(pod.directory, "status", "web"), "3\n");
  pod.move("run");
  return pod;
}

const status = (given: Given) => invoke(command, settingsIn(path()), given);

describe("perigee status", () => {
  it("prints key=value lines: of a pod that runs, and of one that ended", async () => {
    const pod = makePod();
    const running = (await status({ args: [pod.uuid.slice(0, 8)] })).lines;
    assert.deepEqual(
      running.filter((line) => !/^started=/.test(line)),
      [
        "state=running",
        `uuid=${pod.uuid}`,
        `directory=${pod.directory}`,
        "created=2026-01-01T00:00:00.000Z",
        "network=host",
        "pid=4194304",
        "ready=false",
        "exited=false",
        "app-web=3",
      ],
    );
    pod.release();
    const ended = (await status({ args: [pod.uuid] })).lines;
    assert.deepEqual(ended.slice(-3), ["exited=true", "app-web=3", "app-log=unknown"]);
    assert.ok(!ended.some((line) => /^pid=/.test(line)));
  });

  it("SHIM-5: tells how a post-stop handler ended", async () => {
    const pod = makePod();
    writeFileSync(join(pod.directory, "status", "web.post-stop"), "4\n");
    pod.release();
    const { lines } = await status({ args: [pod.uuid] });
    assert.deepEqual(lines.slice(-3), ["app-web=3", "app-web.post-stop=4", "app-log=unknown"]);
  });

  it("LIFE-63: tells how often an app was started again, and how and when it ended before", async () => {
    const pod = makePod();
    writeFileSync(join(pod.directory, "status", "log.restarts"), "2 7 1767225600 waiting\n");
    const { lines } = await status({ args: [pod.uuid] });
    assert.deepEqual(lines.slice(-4), [
      "app-web=3",
      "app-log.restarts=2",
      "app-log.last-exit=7 2026-01-01T00:00:00.000Z",
      "app-log.state=restarting",
    ]);
    pod.release();
  });

  it("LIFE-67: tells whether an app is well, with what the check wrote, escaped", async () => {
    const pod = makePod();
    writeFileSync(join(pod.directory, "status", "log.health"), "unhealthy 3 timeout\nno \u001b[31manswer\n");
    const { lines } = await status({ args: [pod.uuid] });
    assert.deepEqual(lines.slice(-4, -1), [
      "app-log.health=unhealthy",
      "app-log.health.failing-streak=3",
      "app-log.health.last-status=timeout",
    ]);
    const [output = ""] = lines.slice(-1);
    assert.match(output, /^app-log\.health\.last-output=no .+\[31manswer$/);
    assert.ok(!output.includes("\u001b"));
    pod.release();
  });

  it("LIFE-16: an end that nobody saw has no status in JSON", async () => {
    const pod = makePod();
    pod.release();
    const { json } = await status({ args: [pod.uuid] });
    const { apps: shown } = Object(json);
    assert.deepEqual(
      shown.map((app: object) => Object.entries(app).filter(([key]) => key !== "image" && key !== "exitedAt")),
      [
        [
          ["name", "web"],
          ["state", "exited"],
          ["exitStatus", 3],
        ],
        [
          ["name", "log"],
          ["state", "exited"],
        ],
      ],
    );
  });

  it("--wait waits for ever, --wait=DURATION that long", async () => {
    const pod = makePod();
    await assert.rejects(status({ args: [pod.uuid], options: { wait: "10ms" } }), fails("WAIT_TIMED_OUT"));
    const waiting = status({ args: [pod.uuid], options: { wait: true } });
    pod.release();
    assert.equal((await waiting).lines[0], "state=exited");
    await assert.rejects(status({ args: [pod.uuid], options: { wait: "soon" } }), fails("USAGE", /--wait/));
  });

  it("takes the uuid from a file, and only one", async () => {
    const pod = makePod();
    pod.release();
    writeFileSync(path("uuid"), pod.uuid);
    assert.equal((await status({ options: { "uuid-file": path("uuid") } })).lines[0], "state=exited");
    await assert.rejects(status({}), fails("USAGE"));
    await assert.rejects(status({ args: ["abcd", "abce"] }), fails("USAGE", /one pod/));
  });
});
