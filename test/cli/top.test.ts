import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { UsedByPod } from "../../src/api/top.ts";
import command from "../../src/cli/commands/top.ts";
import { fails } from "../helpers/failures.ts";
import { running, settingsOf } from "../helpers/pod-directories.ts";
import { contextOf, settingsIn } from "../helpers/trust.ts";

const web = { app: "web", cpuPercent: 12.34, memory: 1024 * 1024, pids: 2, read: 0, written: 2048, summed: [] };
const log = { app: "log", summed: [] };
const pods: readonly UsedByPod[] = [
  { uuid: "6f3a1c52-7f0e-4c43-9d3a-0b8f6f1d2e11", ...web, name: "front", apps: [web] },
  { uuid: "91bc0000-7f0e-4c43-9d3a-0b8f6f1d2e11", ...web, summed: ["cpu", "read"], apps: [web, log] },
];

describe("perigee top (CLI-75)", () => {
  it("has a row for a pod of one app, and rows for the apps of others; what is not known is a dash with its reason", () => {
    const lines = command.text(pods, contextOf(command, settingsIn("/nonexistent")));
    assert.deepEqual(
      lines.slice(0, 5).map((line) => line.split(/\s{2,}/)),
      [
        ["POD", "NAME", "APP", "CPU", "MEMORY", "PIDS", "READ", "WRITTEN"],
        ["6f3a1c52", "front", "web", "12.3%", "1.0 MiB", "2", "0 B", "2.0 KiB"],
        ["91bc0000", "12.3%", "1.0 MiB", "2", "0 B", "2.0 KiB"],
        ["", "web", "12.3%", "1.0 MiB", "2", "0 B", "2.0 KiB"],
        ["", "log", "-", "-", "-", "-", "-"],
      ],
    );
    assert.match(lines[5] ?? "", /^cpu, read: where no cgroup counts it/);
    assert.match(lines[6] ?? "", /^-: not known/);
  });

  it("shows one sample where no terminal is; with --interval it goes on", async (t) => {
    const settings = await settingsOf(t);
    const pod = running(settings);
    const once = await command.run(contextOf(command, settings));
    assert.deepEqual(
      once?.map(({ uuid }) => uuid),
      [pod.uuid],
    );
    const controller = new AbortController();
    const screens: (readonly string[])[] = [];
    const context = {
      ...contextOf(command, settings, { options: { interval: "100ms" } }),
      signal: controller.signal,
      screen: (lines: readonly string[]) => {
        screens.push(lines);
        if (screens.length === 2) controller.abort();
      },
    };
    await assert.rejects(command.run(context), fails("INTERRUPTED"));
    assert.equal(screens.length, 2);
    pod.release();
  });

  it("refuses what it cannot do", async (t) => {
    const settings = await settingsOf(t);
    const top = (options: Readonly<Record<string, string>>) => command.run(contextOf(command, settings, { options }));
    await assert.rejects(top({ sort: "colour" }), fails("USAGE", /--sort/));
    for (const interval of ["1ms", "0", "often"]) await assert.rejects(top({ interval }), fails("USAGE", /--interval/));
  });
});
