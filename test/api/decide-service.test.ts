import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decideReadiness, decideSockets } from "../../src/api/decide-service.ts";
import { PodManifest } from "../../src/schema/pod-manifest.ts";
import { fails } from "../helpers/failures.ts";

const image = { id: `sha512-${"ab".repeat(64)}` };
const annotations = [{ name: "appc.io/executor/supports-systemd-notify", value: "true" }];
const manifest = PodManifest.parse({
  acKind: "PodManifest",
  acVersion: "0.8.11",
  apps: [
    { name: "web", image, annotations },
    { name: "log", image },
  ],
});

function decided(sdnotify: string | undefined, address = "@manager") {
  return decideReadiness(new Map([["NOTIFY_SOCKET", address]]), sdnotify, manifest.apps);
}

describe("LIFE-80, LIFE-84: who says that a pod is ready, and who hears it", () => {
  it("apps by their annotations and the caller's socket, unless --sdnotify says otherwise", () => {
    assert.deepEqual(decided(undefined), { notifying: new Set(["web"]), caller: "@manager", warnings: [] });
    assert.deepEqual(decided("container").notifying, new Set(["web", "log"]));
    assert.deepEqual(decided("conmon"), { notifying: new Set(), caller: "@manager", warnings: [] });
    assert.deepEqual(decided("ignore"), { notifying: new Set(), caller: undefined, warnings: [] });
  });

  it("a socket that none can be is warned of; a mode that there is not is refused", () => {
    const { caller, warnings } = decided(undefined, "relative");
    assert.equal(caller, undefined);
    assert.match(warnings.join(), /nobody is told/);
    assert.throws(() => decided("always"), fails("USAGE"));
  });
});

describe("LIFE-88: sockets that were handed over", () => {
  const announced = (pid: number) =>
    new Map([
      ["LISTEN_FDS", "1"],
      ["LISTEN_PID", String(pid)],
    ] as const);

  it("are those announced to this process, and must be sockets", () => {
    assert.deepEqual(decideSockets(new Map(), manifest), { sockets: undefined, descriptors: [] });
    assert.deepEqual(decideSockets(announced(process.pid + 1), manifest), { sockets: undefined, descriptors: [] });
    const none = new Map([...announced(process.pid), ["LISTEN_FDS", "256"]] as const);
    assert.throws(() => decideSockets(none, manifest), fails("USAGE", /which is no socket/));
  });
});
