import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildPlan } from "../../src/pod/plan.ts";
import { explainPlan, podWarnings } from "../../src/pod/plan-words.ts";
import { PodManifest } from "../../src/schema/pod-manifest.ts";
import { inputOf, planVectors } from "../helpers/plans.ts";

const words = new Map(
  planVectors().map(([name, vector]) => {
    const input = inputOf(vector);
    const topics = explainPlan(input, buildPlan(input));
    return [name.replace(".json", ""), topics.flatMap(({ topic, lines }) => [topic, ...lines]).join("\n")];
  }),
);

describe("explainPlan", () => {
  it("says who the pod's ids are, and when they are the host's", () => {
    assert.match(words.get("default") ?? "", /ids 0 to 65535 of the pod are 1879048192 to 1879113727 of the host/);
    assert.match(words.get("no-user-namespace") ?? "", /root of an app is root of the host/);
  });

  it("says what the network is", () => {
    assert.match(words.get("default") ?? "", /no network but loopback/);
    assert.match(words.get("host-network") ?? "", /network of the host/);
  });

  it("names limits, volumes, capabilities and the reach of the filter", () => {
    const text = words.get("default") ?? "";
    for (const part of [
      /memory\.limit_in_bytes = 67108864/,
      /\/db: volume data/,
      /CAP_CHOWN/,
      /of 381 allowed/,
      /resource\/memory enforced/,
    ]) {
      assert.match(text, part);
    }
  });

  it("ISO-5: says what becomes of set-user-ID files where the host's can be written to, and only there", () => {
    assert.match(words.get("default") ?? "", /no set-user-ID files, because files of the host could be written to/);
    assert.doesNotMatch(words.get("host-network") ?? "", /set-user-ID files/);
  });

  it("T-R07: names variables, never their values", () => {
    assert.match(words.get("default") ?? "", /SECRET/);
    assert.doesNotMatch(words.get("default") ?? "", /hunter2/);
  });

  it("T-R47: what the image wrote cannot repaint the screen", () => {
    for (const text of words.values()) assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f]/);
    assert.match(words.get("default") ?? "", /"\\u001b\[2J"/);
  });
});

describe("podWarnings (ACE-22)", () => {
  it("says aloud what is not done", () => {
    const app = {
      user: "0",
      group: "0",
      exec: ["/x"],
      ports: [{ name: "www", protocol: "tcp", port: 80, socketActivated: true }],
    };
    const manifest = PodManifest.parse({
      acKind: "PodManifest",
      acVersion: "0.8.11",
      apps: [{ name: "web", image: { id: `sha512-${"a".repeat(128)}` }, app }],
      ports: [{ name: "www", hostPort: 8080 }],
    });
    const report = [
      { name: "resource/memory", app: "web", state: "enforced", why: "limit 1" },
      { name: "example.com/x", app: undefined, state: "ignored", why: "unknown to this version" },
    ] as const;
    const warnings = podWarnings(manifest, { limits: {}, sysctls: [], apps: [], report });
    assert.equal(warnings.length, 2);
    for (const part of [/pod: isolator example\.com\/x is ignored/, /socket-activated/]) {
      assert.ok(
        warnings.some((warning) => part.test(warning)),
        String(part),
      );
    }
  });
});
