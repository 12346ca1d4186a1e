import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PodStatus } from "../../src/api/pods.ts";
import command from "../../src/cli/commands/list.ts";
import { contextOf, settingsIn } from "../helpers/trust.ts";

const id = `sha512-${"ab".repeat(64)}`;
const pods: readonly PodStatus[] = [
  {
    uuid: "6f3a1c52-7f0e-4c43-9d3a-0b8f6f1d2e11",
    name: "front",
    directory: "/d",
    state: "running",
    createdAt: "2026-01-01T00:00:00.000Z",
    startedAt: "2026-01-01T00:00:01.000Z",
    network: "none",
    apps: [
      { name: "web", image: { id, name: "example.com/web" }, state: "running" },
      { name: "log", image: { id, name: "example.com/\u001b[31mlog" }, state: "exited", exitStatus: 3 },
    ],
  },
  {
    uuid: "91bc0000-7f0e-4c43-9d3a-0b8f6f1d2e11",
    directory: "/d",
    state: "aborted prepare",
    createdAt: "2026-01-01T00:00:00.000Z",
    apps: [],
  },
];

const table = (options: Readonly<Record<string, boolean>> = {}) =>
  command.text(pods, contextOf(command, settingsIn("/nonexistent"), { options })).map((line) => line.split(/\s{2,}/));

describe("perigee list", () => {
  it("shows a row for each app, the pod's own words once, and pods without apps", () => {
    const [header, web, log, aborted] = table();
    assert.deepEqual(header, ["UUID", "APP", "IMAGE NAME", "EXIT", "STATE", "CREATED", "STARTED", "NETWORK", "NAME"]);
    assert.deepEqual(web?.slice(0, 4), ["6f3a1c52", "web", "example.com/web", "running"]);
    assert.deepEqual(web?.slice(-2), ["none", "front"]);
    assert.deepEqual(log, ["", "log", "example.com/\\x1b[31mlog", "3"]);
    assert.deepEqual(aborted?.slice(0, 2), ["91bc0000", "aborted prepare"]);
    assert.equal(table().length, 4);
  });

  it("shows foreign text harmlessly", () => {
    assert.doesNotMatch(table().flat().join(""), /\u001b/);
  });

  it("--full shows uuids, image IDs and times as they are; --no-legend leaves the header out", () => {
    const [header, web] = table({ full: true });
    assert.equal(header?.includes("IMAGE ID"), true);
    assert.deepEqual(web?.slice(0, 1), ["6f3a1c52-7f0e-4c43-9d3a-0b8f6f1d2e11"]);
    assert.ok(web?.includes("2026-01-01T00:00:01.000Z"));
    assert.equal(table({ legend: false }).length, 3);
  });

  it("lists nothing where no pods are", async () => {
    const context = contextOf(command, settingsIn("/nonexistent"));
    assert.deepEqual(await command.run(context), []);
  });
});
