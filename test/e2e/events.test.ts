/** CLI-74, CLI-75: what happens to real pods, told by the built program while it happens. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { endPods, guestImage, guestWork } from "../helpers/guest-work.ts";
import { Running } from "../helpers/program.ts";

const work = guestWork((work) => endPods(work));

interface Told {
  readonly event: string;
  readonly uuid: string;
  readonly app?: string;
  readonly status?: number;
}
const told = (text: string): readonly Told[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

describe("perigee events", () => {
  it("--follow tells the life of a pod as it happens, and ends with 130", async () => {
    const following = new Running(work.start(["events", "--follow", "--format", "json"]));
    const uuid = work.run(["--detach", guestImage, "--", "wait"]).stdout.trim();
    await following.until(/"ready"/);
    work.must(["stop", uuid]);
    await following.until(/"exited"/);
    work.must(["rm", uuid]);
    await following.until(/"removed"/);
    following.child.kill("SIGINT");
    assert.equal(await following.ended, 130);
    assert.deepEqual(
      told(following.stdout)
        .filter((one) => one.uuid === uuid && one.event !== "marked")
        .map(({ event }) => event),
      ["created", "started", "app-started", "ready", "app-exited", "exited", "removed"],
    );
  });

  it("a supervisor that is killed is an end that is noticed", async () => {
    const following = new Running(work.start(["events", "--follow", "--format", "json"]));
    const running = work.startRun([guestImage, "--", "wait"]);
    await running.until(/waiting/);
    await following.until(/"ready"/);
    running.child.kill("SIGKILL");
    await following.until(/"exited"/);
    following.child.kill("SIGTERM");
    assert.equal(await following.ended, 143);
  });

  it("two dozen pods at once: none is missed, none is told twice", async () => {
    const following = new Running(work.start(["events", "--follow", "--format", "json"]));
    const count = 24;
    const pods = Array.from({ length: count }, () => work.startRun([guestImage, "--", "exit", "3"]));
    for (const pod of pods) assert.equal(await pod.ended, 3);
    const ended = () => [...following.stdout.matchAll(/"status":3/g)].length;
    for (let look = 0; look < 1200 && ended() < count; look++) await sleep(50);
    const events = told(following.stdout);
    const exits = events.filter(({ event }) => event === "app-exited");
    const own = exits.filter(({ status }) => status === 3).map(({ uuid }) => uuid);
    assert.deepEqual([own.length, new Set(own).size], [count, count]);
    following.child.kill("SIGINT");
    await following.ended;
    const past = told(work.must(["events", "--format", "json"])).filter(({ event }) => event === "app-exited");
    assert.ok(past.length >= count);
  });
});

describe("perigee top", () => {
  it("shows a pod once where no terminal is, and renews the screen where one is", async () => {
    const uuid = work.run(["--detach", guestImage, "--", "wait"]).stdout.trim();
    const [row] = JSON.parse(work.must(["top", "--format", "json", uuid])) as [
      { uuid: string; memory: number; pids: number },
    ];
    assert.deepEqual([row.uuid, row.memory > 0, row.pids >= 2], [uuid, true, true]);
    assert.match(work.must(["top"]), new RegExp(`^POD .*\n${uuid.slice(0, 8)} `));
    const guest = work.path("example.com-guest-rootfs", "guest");
    const { NO_COLOR: _, ...env } = work.env;
    const line = [
      guest,
      "pty",
      "80",
      "24",
      ...work.runLine([]).slice(0, 1),
      ...work.globals,
      "top",
      "--interval",
      "200ms",
    ];
    const screen = new Running(work.startCommand(["env", `TERM=xterm`, `HOME=${env["HOME"]}`, ...line], "pipe"));
    await screen.until(/WRITTEN[\s\S]*\u001b\[H\u001b\[JPOD/);
    screen.child.stdin?.write("\u0003");
    assert.equal(await screen.ended, 130);
    work.must(["stop", uuid]);
  });
});
