import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { commandOf, handlerOf, workingDirectory } from "../../src/pod/commands.ts";
import { App } from "../../src/schema/app.ts";
import type { PodApp } from "../../src/schema/pod-manifest.ts";
import { PodManifest } from "../../src/schema/pod-manifest.ts";
import { fails } from "../helpers/failures.ts";

function podApp(app: object): PodApp {
  const image = { id: `sha512-${"ab".repeat(64)}` };
  const whole = { exec: ["/app", "--serve"], user: "0", group: "0", ...app };
  const [first] = PodManifest.parse({
    acKind: "PodManifest",
    acVersion: "0.8.11",
    apps: [{ name: "web", image, app: whole }],
  }).apps;
  assert.ok(first);
  return first;
}

describe("what an app runs", () => {
  it("is its exec, whose first word names a program", () => {
    assert.deepEqual(commandOf(podApp({})), ["/app", "--serve"]);
    assert.throws(() => commandOf(podApp({ exec: [] })), fails("MANIFEST_INVALID", /no command/, { hint: /--exec/ }));
    assert.throws(() => commandOf(podApp({ exec: [""] })), fails("MANIFEST_INVALID", /no command/));
  });

  it("its handlers likewise, which it need not have", () => {
    const of = (exec: readonly string[]) =>
      App.parse({ exec: ["/app"], user: "0", group: "0", eventHandlers: [{ name: "post-stop", exec }] });
    assert.deepEqual(handlerOf(of(["/end", "now"]), "post-stop"), ["/end", "now"]);
    assert.deepEqual(handlerOf(of(["/end"]), "pre-start"), []);
    assert.throws(
      () => handlerOf(of([""]), "post-stop"),
      fails("MANIFEST_INVALID", /post-stop handler has no program/),
    );
  });

  it("a working directory in /proc, whose links lead anywhere (T-R02), is refused", () => {
    assert.equal(workingDirectory(podApp({})), "/");
    assert.equal(workingDirectory(podApp({ workingDirectory: "/process" })), "/process");
    for (const directory of ["/proc/self/fd/3", "//proc/1/cwd", "/proc"]) {
      assert.throws(
        () => workingDirectory(podApp({ workingDirectory: directory })),
        fails("MANIFEST_INVALID", /\/proc/),
      );
    }
  });
});
