import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { type AttachOptions, attachPod } from "../../src/api/attach.ts";
import { stopPods } from "../../src/api/stop.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { fails } from "../helpers/failures.ts";
import { guestWorld } from "../helpers/pod-world.ts";

const guest = guestWorld();

const attach = (options: Partial<AttachOptions>) =>
  attachPod(guest.world.settings, { pod: "", input: "keep", ...options });
const stop = (uuid: string) => stopPods(guest.world.settings, { pods: [uuid], force: true, timeoutMs: 0 });

describe("attachPod", () => {
  it("shows what the app writes from then on, and its status (LIFE-100)", async () => {
    const { uuid } = await guest.world.start(guest.image, ["wait"]);
    const app = await attach({ pod: uuid.slice(0, 8) });
    assert.deepEqual([app.uuid, app.app], [uuid, "guest"]);
    const { stdout, exited } = await app.spawn({ stdio: ["ignore", "pipe", "ignore"] });
    assert.ok(stdout);
    const shown = text(stdout);
    await stopPods(guest.world.settings, { pods: [uuid], force: false, timeoutMs: 60_000 });
    assert.match(await shown, /signal=TERM\n$/);
    assert.equal(await exited, 40);
  });

  it("ends without the app (LIFE-104)", async () => {
    const { uuid } = await guest.world.start(guest.image, ["sleep", "600"]);
    const first = await (await attach({ pod: uuid })).spawn();
    first.signal(15);
    assert.equal(await first.exited, 143);
    const second = await (await attach({ pod: uuid, app: "guest" })).spawn();
    await stop(uuid);
    assert.equal(await second.exited, 137);
  });

  it("refuses pods and apps that do not run, and names that are none (LIFE-103)", async () => {
    const pod = Pod.create(openPods(guest.world.data));
    await assert.rejects(attach({ pod: pod.uuid }), fails("WRONG_STATE", /it is preparing/));
    pod.release();
    await assert.rejects(attach({ pod: "ffffffff" }), fails("NOT_FOUND"));
    const { uuid } = await guest.world.start(guest.image, ["sleep", "600"]);
    await assert.rejects(attach({ pod: uuid, app: "guets" }), fails("USAGE", /has no app guets/));
    const late = await attach({ pod: uuid });
    await stop(uuid);
    await assert.rejects(attach({ pod: uuid }), fails("WRONG_STATE", /it is exited/));
    await assert.rejects(late.spawn(), fails("SHIM_FAILED", /one cannot be attached/));
  });
});
