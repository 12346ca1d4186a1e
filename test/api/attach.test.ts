import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { type AttachOptions, attachPod } from "../../src/api/attach.ts";
import { stopPods } from "../../src/api/stop.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { fails } from "../helpers/failures.ts";
import { loggedText } from "../helpers/logs.ts";
import { guestWorld } from "../helpers/pod-world.ts";

const guest = guestWorld();

const attach = (options: Partial<AttachOptions>) =>
  attachPod(guest.world.settings, { pod: "", input: "keep", ...options });
const stop = (uuid: string) => stopPods(guest.world.settings, { pods: [uuid], force: true, timeoutMs: 0 });

/** Resolves when the app has printed `waiting`: it has set up its signals then. */
async function waiting(uuid: string): Promise<void> {
  const log = join(guest.world.data, "pods", "run", uuid, "logs", "guest");
  while (!loggedText(log).includes("waiting")) await new Promise((resolve) => setImmediate(resolve));
}

describe("attachPod", () => {
  it("shows what the app writes from then on, and its status (LIFE-100)", async () => {
    const { uuid } = await guest.world.start(guest.image, ["wait"]);
    await waiting(uuid);
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
    await assert.rejects(attach({ pod: uuid }), fails("WRONG_STATE", /it is exited/, { hint: /^perigee logs / }));
    rmSync(join(guest.world.data, "pods", "run", uuid, "logs", "guest"));
    await assert.rejects(attach({ pod: uuid }), fails("WRONG_STATE", /it is exited/, { hint: /^perigee status / }));
    await assert.rejects(late.spawn(), fails("SHIM_FAILED", /one cannot be attached/));
  });

  it("names a log only where there is one, and no reason that need not be the one (LIFE-103)", async () => {
    const { uuid } = await guest.world.start(guest.image, ["sleep", "600"]);
    const directory = join(guest.world.data, "pods", "run", uuid);
    rmSync(join(directory, "attach"));
    await assert.rejects(
      attach({ pod: uuid }),
      fails("WRONG_STATE", /takes nobody$/, { cause: /by a version without attach, or .* in the foreground$/ }),
    );
    mkdirSync(join(directory, "status"), { recursive: true });
    writeFileSync(join(directory, "status", "guest"), "3\n");
    const refusal = (hint: RegExp) => fails("WRONG_STATE", /app guest of pod .* has ended/, { cause: /is 3$/, hint });
    await assert.rejects(attach({ pod: uuid }), refusal(/^perigee logs --app guest /));
    rmSync(join(directory, "logs", "guest"));
    await assert.rejects(attach({ pod: uuid }), refusal(/^perigee status /));
    await stop(uuid);
  });
});
