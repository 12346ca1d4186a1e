import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deviceRules } from "../../src/pod/devices.ts";
import { buildPlan, type PlanInput } from "../../src/pod/plan.ts";
import { describePlan, encodePlan } from "../../src/shim/plan.ts";
import { fails } from "../helpers/failures.ts";
import { inputOf, planVectors } from "../helpers/plans.ts";

const vectors = new Map(planVectors());

const inputs = new Map([...vectors].map(([name, content]) => [name.replace(".json", ""), inputOf(content)]));

function input(name: string): PlanInput {
  const found = inputs.get(name);
  assert.ok(found, name);
  return found;
}

/** The plan of a vector whose input was changed. */
const changed = (name: string, change: Partial<PlanInput>) => buildPlan({ ...input(name), ...change });

describe("buildPlan over spec/vectors/plans", () => {
  for (const [name, content] of vectors) {
    it(`${name}: ${content.why}`, () => {
      const plan = buildPlan(inputOf(content));
      assert.deepEqual(describePlan(plan), content.records);
      assert.ok(encodePlan(plan).length < 64 * 1024);
    });
  }
});

describe("the default plan, line by line of security 4.2", () => {
  const plan = buildPlan(input("default"));
  const [app] = plan.apps;
  assert.ok(app);

  it("1: every kind of namespace, the host's root not mapped (T-R54)", () => {
    assert.deepEqual(plan.namespaces.toSorted(), ["cgroup", "ipc", "mount", "net", "pid", "time", "user", "uts"]);
    for (const { outside, inside, count } of [...plan.uidMaps, ...plan.gidMaps]) {
      assert.ok(outside > 0 && inside === 0 && count === 65536);
    }
  });

  it("2, 3, 4: nine capabilities, one less with a volume of the host (ISO-6), no_new_privs, a filter", () => {
    assert.equal(buildPlan(input("host-network")).apps[0]?.capabilities.length, 9);
    assert.equal(app.capabilities.length, 8);
    assert.ok(app.noNewPrivileges && app.seccomp !== undefined && app.seccomp.length % 8 === 0);
  });

  it("5: /proc, /sys and /sys/fs/cgroup as there; nothing of the host but declared volumes", () => {
    const mounts = new Map(app.mounts.map((mount) => [mount.target, mount]));
    assert.deepEqual(mounts.get("/proc")?.flags, ["nosuid", "nodev", "noexec"]);
    assert.deepEqual(mounts.get("/sys")?.flags, ["ro", "nosuid", "nodev", "noexec"]);
    for (const mount of app.mounts.filter(({ target }) => /^\/sys\/fs\/cgroup\/./.test(target))) {
      assert.ok(mount.flags.includes("ro"), mount.target);
    }
    const sources = app.mounts.filter(({ type, source }) => type === "bind" && source.startsWith("/"));
    assert.ok(sources.every(({ source }) => source === "/srv/db" || /\/perigee-[0-9a-f-]+$/.test(source)));
    for (const { flags } of app.mounts.filter(({ type }) => type === "bind")) {
      assert.ok(flags.includes("nosuid") && flags.includes("nodev"));
    }
    assert.ok(app.masks.length > 20);
    for (const path of ["/proc/sys", "/sys/fs/cgroup"]) assert.ok(app.readonlyPaths.includes(path));
  });

  it("6, 7: devices, processes, core dumps, umask, the app's three descriptors are the shim's", () => {
    assert.equal(app.devices.length, 6);
    assert.ok(deviceRules().length === 8);
    assert.deepEqual(app.rlimits, [{ name: "core", soft: 0, hard: 0 }]);
    assert.deepEqual([app.umask, app.oomScore], [0o022, undefined]);
    const pids = input("default").cgroups.directories.flatMap(({ writes }) => writes);
    assert.ok(pids.some(({ file, value }) => file === "pids.max" && value === "2048"));
  });
});

describe("buildPlan", () => {
  it("an id that the user namespace does not hold is refused (T-R40)", () => {
    const [app] = input("default").apps;
    assert.ok(app);
    for (const user of [
      { uid: 65536, gid: 0, groups: [0] },
      { uid: 0, gid: 0, groups: [0, 70000] },
    ]) {
      assert.throws(
        () => changed("default", { apps: [{ ...app, user }] }),
        fails("UNSUPPORTED", /outside/, { hint: /private-users/ }),
      );
      assert.ok(changed("default", { apps: [{ ...app, user }], userNamespace: undefined }));
    }
  });

  it("T-R54: a range that begins at the host's root is a mistake of ours", () => {
    assert.throws(() => changed("default", { userNamespace: { base: 0, count: 65536 } }), fails("INTERNAL"));
  });

  it("--insecure-options=paths hides nothing", () => {
    const [app] = changed("default", { insecure: new Set(["paths"]) }).apps;
    assert.deepEqual([app?.masks, app?.readonlyPaths], [[], ["/sys/fs/cgroup"]]);
  });

  it("without a terminal /dev/console is silent, with one it is the shim's and TERM is set", () => {
    const console = (terminal: string | undefined) => {
      const [app] = changed("default", { terminal }).apps;
      const links = app?.symlinks.filter(({ path }) => path === "/dev/console").length;
      return [app?.terminal, links, app?.environment.some(([name]) => name === "TERM")];
    };
    assert.deepEqual(
      [console(undefined), console("xterm")],
      [
        [false, 1, false],
        [true, 0, true],
      ],
    );
  });

  it("a seccomp set of the manifest is compiled, off is none", () => {
    const { isolation } = input("default");
    const [app] = isolation.apps;
    assert.ok(app);
    const none = changed("default", { isolation: { ...isolation, apps: [{ ...app, seccomp: "off" }] } });
    assert.equal(none.apps[0]?.seccomp, undefined);
    const raw = { ...app, capabilities: ["CAP_NET_RAW"] };
    const other = changed("default", { isolation: { ...isolation, apps: [raw] } });
    assert.notDeepEqual(other.apps[0]?.seccomp, buildPlan(input("default")).apps[0]?.seccomp);
  });
});
