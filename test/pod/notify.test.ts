import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { callerSocket, notifySocket, parseNotifyMode, saysWhenReady, withImageNotify } from "../../src/pod/notify.ts";
import { Annotations } from "../../src/schema/annotations.ts";
import { fails } from "../helpers/failures.ts";

const name = "appc.io/executor/supports-systemd-notify";
const says = (value: string) => Annotations.parse([{ name, value }]);
const none = Annotations.parse([]);

describe("LIFE-80: which apps say when they are ready", () => {
  it("those that their annotation says, unless --sdnotify says all or none", () => {
    const table = [
      [says("true"), undefined, true],
      [says("false"), undefined, false],
      [none, undefined, false],
      [none, "container", true],
      [says("false"), "container", true],
      [says("true"), "conmon", false],
      [says("true"), "ignore", false],
    ] as const;
    for (const [annotations, mode, expected] of table) assert.equal(saysWhenReady({ annotations }, mode), expected);
  });

  it("the image's annotation counts where the app has none of its own", () => {
    assert.deepEqual(withImageNotify(none, [{ name, value: "true" }]), says("true"));
    assert.deepEqual(withImageNotify(says("false"), [{ name, value: "true" }]), says("false"));
    assert.deepEqual(withImageNotify(none, [{ name: "created", value: "x" }]), none);
    for (const missing of [null, undefined, []]) assert.deepEqual(withImageNotify(none, missing), none);
  });

  it("--sdnotify takes three words", () => {
    for (const word of ["container", "conmon", "ignore", undefined]) assert.equal(parseNotifyMode(word), word);
    for (const word of ["", "healthy", "CONTAINER", "\u001b[2J"]) {
      assert.throws(() => parseNotifyMode(word), fails("USAGE", /--sdnotify is container, conmon or ignore/));
    }
  });

  it("the socket is right below /dev", () => assert.match(notifySocket, /^\/dev\/[a-z]+$/));
});

describe("callerSocket", () => {
  const of = (address: string, mode?: "conmon" | "ignore") => callerSocket(new Map([["NOTIFY_SOCKET", address]]), mode);
  it("is the caller's NOTIFY_SOCKET, unless nobody is to be told", () => {
    assert.deepEqual(of("/run/systemd/notify"), { address: "/run/systemd/notify" });
    assert.deepEqual(of("@abstract", "conmon"), { address: "@abstract" });
    assert.deepEqual(of("/run/systemd/notify", "ignore"), {});
    assert.deepEqual(of(""), {});
    assert.deepEqual(callerSocket(new Map(), undefined), {});
  });
  it("what no socket can be called is a warning, and no failure", () => {
    for (const address of ["relative", "vsock:2:99", `/${"x".repeat(107)}`]) {
      assert.match(of(address).warning ?? "", /NOTIFY_SOCKET .*nobody is told/);
      assert.equal(of(address).address, undefined);
    }
  });
});
