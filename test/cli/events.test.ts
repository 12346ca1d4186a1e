import assert from "node:assert/strict";
import { describe, it } from "node:test";
import command from "../../src/cli/commands/events.ts";
import { fails } from "../helpers/failures.ts";
import { end, execute, running, settingsOf } from "../helpers/pod-directories.ts";
import { contextOf } from "../helpers/trust.ts";

describe("perigee events (CLI-74)", () => {
  it("is a line an event, and an object an event", async (t) => {
    const settings = await settingsOf(t);
    const pod = running(settings, { name: "front" });
    execute(pod);
    end(pod, 3);
    const told: (readonly [string, unknown])[] = [];
    const context = { ...contextOf(command, settings), emit: (...event: [string, unknown]) => void told.push(event) };
    const result = await command.run(context);
    assert.deepEqual([command.text(result, context), command.json?.(result)], [[], undefined]);
    const id = pod.uuid.slice(0, 8);
    const [created] = told;
    assert.equal(created?.[0], `2026-01-01T00:00:00.000Z ${id} created     pod=front`);
    assert.deepEqual(created?.[1], {
      uuid: pod.uuid,
      name: "front",
      event: "created",
      time: "2026-01-01T00:00:00.000Z",
    });
    const lines = told.map(([line]) => line.slice(25));
    assert.ok(lines.includes(`${id} app-exited  web status=3 pod=front`), lines.join("\n"));
    assert.ok(lines.includes(`${id} app-started web image=example.com/web pod=front`));
  });

  it("--since takes a duration or a time", async (t) => {
    const settings = await settingsOf(t);
    const since = (text: string) => command.run(contextOf(command, settings, { options: { since: text } }));
    for (const text of ["10m", "0s", "2026-01-01T00:00:00Z"]) await since(text);
    for (const text of ["soon", "2026-13-01T00:00:00Z", "-1s"])
      await assert.rejects(since(text), fails("USAGE", /--since/));
  });
});
