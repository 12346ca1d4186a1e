import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AbsolutePath, App, Port } from "../../src/schema/app.ts";

describe("App (ACI-29…42)", () => {
  it("has a list for every list that is absent or null", () => {
    const app = App.parse({ user: "0", group: "0", exec: null, ports: null, environment: null });
    assert.deepEqual(
      [app.exec, app.ports, app.environment, app.mountPoints, app.isolators, app.eventHandlers, app.supplementaryGIDs],
      [[], [], [], [], [], [], []],
    );
  });
  it("ACI-34: reads either spelling, and not both", () => {
    const app = { user: "0", group: "0" };
    const { supplementaryGIDs, ...rest } = App.parse({ ...app, supplementaryGids: [1] });
    assert.deepEqual(supplementaryGIDs, [1]);
    assert.ok(!("supplementaryGids" in rest));
    assert.deepEqual(App.parse({ ...app, supplementaryGIDs: null }).supplementaryGIDs, []);
    assert.ok(!App.safeParse({ ...app, supplementaryGids: [1], supplementaryGIDs: [1] }).success);
  });
  it("ACI-42: count 0 means 1", () => {
    assert.equal(Port.parse({ name: "a", protocol: "tcp", port: 80, count: 0 }).count, 1);
    assert.equal(Port.parse({ name: "a", protocol: "tcp", port: 65535 }).count, 1);
  });
  it("ACI-38: an empty working directory is none", () => {
    assert.equal(App.parse({ user: "0", group: "0", workingDirectory: "" }).workingDirectory, undefined);
  });
});

describe("AbsolutePath (T-R19)", () => {
  it("may hold dots, but no ..", () => {
    assert.ok(AbsolutePath.safeParse("/a/..b/.../c").success);
    assert.ok(!AbsolutePath.safeParse("/a/..").success);
  });
  it("has at most 4095 bytes and no NUL", () => {
    assert.ok(AbsolutePath.safeParse(`/${"a".repeat(4094)}`).success);
    assert.ok(!AbsolutePath.safeParse(`/${"a".repeat(4095)}`).success);
    assert.ok(!AbsolutePath.safeParse("/a\0b").success);
  });
});
