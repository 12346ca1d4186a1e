/** The client as a child; what it and the supervisor do is tested in test/native/run-attach.test.ts. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { spawnAttach } from "../../src/shim/attach.ts";
import { failureOf } from "../../src/shim/events.ts";
import { fails } from "../helpers/failures.ts";
import { fileScratch, makePod, startPod } from "../helpers/shim-pod.ts";

const scratch = fileScratch();
const none = new Uint8Array();

describe("spawnAttach", () => {
  it("tells when output is seen, and the app's end", async () => {
    const pod = await makePod(scratch, {
      command: ["/guest", "cat", ",", "exit", "9"],
      app: { takesInput: true },
      plan: { foreground: false, attachable: true },
    });
    const running = await startPod(pod);
    await running.event("ready");
    const request = { directory: pod.path, app: "main", input: "end", detachKeys: none } as const;
    const handle = spawnAttach(request, ["pipe", "pipe", "inherit"]);
    const events: unknown[] = [];
    let text = "";
    handle.stdout?.on("data", (bytes: Buffer) => (text += bytes.toString("latin1")));
    for await (const event of handle.events) {
      events.push(event);
      if (event.event === "attached") handle.stdin?.end("hello\n");
    }
    assert.equal(await handle.exited, 9);
    assert.equal(text, "hello\n");
    assert.deepEqual(events, [
      { event: "attached", app: "main" },
      { event: "exited", status: 9 },
    ]);
    await running.ended;
  });

  it("fails with the words that the shim itself prints where nobody listens", async () => {
    const pod = await makePod(scratch);
    const request = { directory: pod.path, app: "main", input: "keep", detachKeys: none } as const;
    const handle = spawnAttach(request, ["ignore", "ignore", "ignore"]);
    for await (const event of handle.events) {
      assert.equal(event.event, "failed");
      if (event.event !== "failed") continue;
      assert.throws(
        () => {
          throw failureOf(event, 125, "attach");
        },
        fails("SHIM_FAILED", /one cannot be attached to the app/),
      );
    }
    assert.equal(await handle.exited, 125);
  });

  it("needs the directory of a pod", () => {
    const request = { directory: `${scratch.directory}/none`, app: "main", input: "keep", detachKeys: none } as const;
    assert.throws(() => spawnAttach(request, ["ignore", "ignore", "ignore"]), fails("NOT_FOUND"));
  });
});
