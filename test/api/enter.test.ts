import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { type EnterOptions, enterPod } from "../../src/api/enter.ts";
import { stopPods } from "../../src/api/stop.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { fails } from "../helpers/failures.ts";
import { guestWorld } from "../helpers/pod-world.ts";

const guest = guestWorld();

const enter = (options: Partial<EnterOptions>) =>
  enterPod(guest.world.settings, { pod: "", command: ["/guest", "exit", "3"], ...options });

async function inPod(use: (uuid: string) => Promise<void>): Promise<void> {
  const { uuid } = await guest.world.start(guest.image, ["sleep", "600"]);
  await use(uuid);
  await stopPods(guest.world.settings, { pods: [uuid], force: true, timeoutMs: 0 });
}

describe("enterPod", () => {
  it("runs a command beside the caller: its streams, its status, signals (LIFE-43)", async () => {
    await inPod(async (uuid) => {
      const app = await enter({ pod: uuid.slice(0, 8), command: ["/guest", "echo", "hello"] });
      assert.deepEqual([app.uuid, app.app], [uuid, "guest"]);
      const { stdout, exited } = await app.spawn({ stdio: ["ignore", "pipe", "ignore"] });
      assert.ok(stdout);
      assert.equal(await text(stdout), "hello\n");
      assert.equal(await exited, 0);
      assert.equal(await (await (await enter({ pod: uuid, app: "guest" })).spawn()).exited, 3);
      const waiting = await (await enter({ pod: uuid, command: ["/guest", "sleep", "600"] })).spawn();
      assert.equal(waiting.signal(15), true);
      assert.equal(await waiting.exited, 143);
    });
  });

  it("a command that is not there, or not executable, is told as one", async () => {
    await inPod(async (uuid) => {
      const missing = await enter({ pod: uuid, command: ["/none"] });
      await assert.rejects(missing.spawn(), fails("EXEC_NOT_FOUND", /the command is not in the app: \/none/));
      const plain = await enter({ pod: uuid, command: ["/etc/hostname"] });
      await assert.rejects(plain.spawn(), fails("NOT_EXECUTABLE", /the command cannot be executed/));
    });
  });

  it("refuses pods and apps that do not run, and names that are none (LIFE-44)", async () => {
    const pod = Pod.create(openPods(guest.world.data));
    await assert.rejects(enter({ pod: pod.uuid }), fails("WRONG_STATE", /it is preparing/));
    pod.release();
    await assert.rejects(enter({ pod: "ffffffff" }), fails("NOT_FOUND"));
    await inPod(async (uuid) => {
      await assert.rejects(enter({ pod: uuid, app: "guets" }), fails("USAGE", /has no app guets/));
      const directory = join(guest.world.data, "pods", "run", uuid);
      const late = await enter({ pod: uuid });
      writeFileSync(join(directory, "pids", "guest"), "1999999 5\n");
      await assert.rejects(enter({ pod: uuid }), fails("WRONG_STATE", /does not run/));
      writeFileSync(join(directory, "record"), "{");
      await assert.rejects(enter({ pod: uuid }), fails("WRONG_STATE", /damaged/));
      await stopPods(guest.world.settings, { pods: [uuid], force: true, timeoutMs: 0 });
      await assert.rejects(late.spawn(), fails("SHIM_FAILED", /could not be entered/));
    });
  });
});
