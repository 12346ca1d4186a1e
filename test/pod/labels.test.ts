import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IsolatorReport, Level } from "../../src/pod/isolator-level.ts";
import { decideLabels, type LabelOptions } from "../../src/pod/labels.ts";
import { Isolators } from "../../src/schema/isolators.ts";
import { fails } from "../helpers/failures.ts";

const options: LabelOptions = {
  securityModules: ["apparmor", "selinux"],
  profileModes: () =>
    new Map([
      ["web", "enforce"],
      ["pod", "enforce"],
      ["lax", "complain"],
    ]),
  isPermissive: () => false,
};
const profile = (name: string) => ({ name: "os/linux/apparmor-profile", value: { profile: name } });
const context = { name: "os/linux/selinux-context", value: { user: "u", role: "r", type: "t", level: "s0:c1,c2" } };

function level(
  app: string | undefined,
  isolators: readonly object[],
  isOfImage = false,
): Level & { report: IsolatorReport[] } {
  const parsed = Isolators.parse(isolators);
  const fromImage = new Set(isOfImage ? parsed.map(({ name }) => String(name)) : []);
  return { app, isolators: parsed, fromImage, report: [] };
}

describe("decideLabels (ACE-36, ACE-37, ISO-14)", () => {
  it("what an app asks for is applied, and said", () => {
    const app = level("web", [profile("web"), context]);
    assert.deepEqual(decideLabels(app, level(undefined, []), options), { apparmor: "web", selinux: "u:r:t:s0:c1,c2" });
    assert.deepEqual(
      app.report.map(({ state, why }) => [state, why]),
      [
        ["enforced", "web"],
        ["enforced", "u:r:t:s0:c1,c2"],
      ],
    );
  });

  it("an app without one has the pod's; its own replaces the pod's, but not if the image says it", () => {
    const pod = level(undefined, [profile("pod")]);
    assert.deepEqual(decideLabels(level("web", []), pod, options), { apparmor: "pod" });
    assert.deepEqual(decideLabels(level("web", [profile("web")]), pod, options), { apparmor: "web" });
    const ofImage = level("web", [profile("web")], true);
    assert.deepEqual(decideLabels(ofImage, pod, options), { apparmor: "pod" });
    assert.deepEqual(
      ofImage.report.map(({ state }) => state),
      ["modified"],
    );
    assert.deepEqual(decideLabels(level("web", [profile("web")], true), level(undefined, []), options), {
      apparmor: "web",
    });
  });

  it("ACE-37: a profile that is not loaded refuses the pod, at either level", () => {
    const absent = [profile("absent")];
    assert.throws(
      () => decideLabels(level("web", absent), level(undefined, []), options),
      fails("KERNEL_LACKS", /absent/),
    );
    assert.throws(
      () => decideLabels(level(undefined, absent), undefined, options),
      fails("KERNEL_LACKS", /not loaded/),
    );
    const unread = { ...options, profileModes: () => undefined };
    assert.deepEqual(decideLabels(level("web", absent), level(undefined, []), unread), { apparmor: "absent" });
  });

  it("what refuses nothing is said to be a change (ACE-22)", () => {
    for (const name of ["lax", "unconfined"]) {
      const app = level("web", [profile(name)]);
      assert.deepEqual(decideLabels(app, undefined, options), { apparmor: name });
      assert.deepEqual(
        app.report.map(({ state }) => state),
        ["modified"],
        name,
      );
    }
    const app = level("web", [context]);
    decideLabels(app, undefined, { ...options, isPermissive: () => true });
    assert.match(app.report[0]?.why ?? "", /permissive/);
  });

  it("namespaces and stacks of profiles are refused: the kernel shows them in other words than they are asked for", () => {
    for (const name of [":other:web", "web//&pod"]) {
      assert.throws(() => decideLabels(level("web", [profile(name)]), undefined, options), fails("UNSUPPORTED"), name);
    }
  });

  it("where the kernel runs no such module it is ignored, and said once", () => {
    const none = { ...options, securityModules: [] };
    const [app, pod] = [level("web", [profile("absent"), context]), level(undefined, [profile("pod")])];
    assert.deepEqual([decideLabels(app, pod, none), decideLabels(level("db", []), pod, none)], [{}, {}]);
    assert.deepEqual(
      app.report.map(({ state }) => state),
      ["ignored", "ignored"],
    );
  });
});
