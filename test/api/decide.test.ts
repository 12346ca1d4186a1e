import assert from "node:assert/strict";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { ChosenPod } from "../../src/api/choose-pod.ts";
import { decidePod, type Placement, planInput, podCgroups, treeWarnings } from "../../src/api/decide.ts";
import type { PodImage } from "../../src/api/pod-images.ts";
import type { RunOptions } from "../../src/api/run-options.ts";
import type { Settings } from "../../src/api/settings.ts";
import { type AppRequest, makePodManifest } from "../../src/pod/manifest.ts";
import { parseMountFlag, parseVolumeFlag } from "../../src/pod/volume-flags.ts";
import { fails } from "../helpers/failures.ts";
import { describeImage } from "../helpers/images.ts";
import { testSettings } from "../helpers/settings.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const settings: Settings = {
  ...testSettings(),
  environment: new Map([
    ["TERM", "vt100"],
    ["FROM", "caller"],
  ]),
};

function imageOf(name: string, app: object = {}): PodImage {
  const { record } = describeImage({ name });
  const manifest = { app: { exec: ["/app"], user: "0", group: "0", ...app } };
  return { record: { ...record, importedAt: "2026-01-01T00:00:00.000Z" }, manifest, treeId: record.id };
}

const web = imageOf("example.com/web");

type Flags = Omit<AppRequest, "image">;

function chosen(images: readonly PodImage[], options: Partial<RunOptions> = {}, flags: Flags = {}): ChosenPod {
  const requests = images.map(({ record, manifest }) => ({ ...flags, image: { ...record, manifest } }));
  const volumes = options.volumes?.map(parseVolumeFlag);
  const mounts = options.mounts?.map(parseMountFlag);
  return { images, reified: makePodManifest(requests, { volumes, mounts, caller: settings.caller }) };
}

const decide = (options: Partial<RunOptions> = {}, flags: Flags = {}, image = web) =>
  decidePod(settings, options, chosen([image], options, flags));

/** An app's tree, with files as given (path → content). */
async function treeOf(t: TestContext, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const tree = await temporaryDirectory(t);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(tree, path, ".."), { recursive: true });
    writeFileSync(join(tree, path), content);
  }
  return tree;
}

const uuid = "6f3a1c52-7f0e-4c43-9d3a-0b8f6f1d2e11";

async function inputFor(tree: string, options: Partial<RunOptions> = {}, placement: Partial<Placement> = {}) {
  const decisions = decide(options);
  return planInput(settings, options, decisions, {
    uuid,
    hostname: "h",
    idBase: 0x7000_0000,
    cgroups: podCgroups(decisions, uuid),
    trees: new Map([["web", tree]]),
    canIdmap: true,
    foreground: true,
    ...placement,
  });
}

describe("decidePod", () => {
  it("ISO-13: --strict refuses with the list of what would be ignored or changed, and nothing else", () => {
    const isolators = [
      { name: "resource/memory", value: { request: "1G" } },
      { name: "example.com/quota", value: 1 },
    ];
    const asking = imageOf("example.com/asking", { isolators, eventHandlers: [{ name: "pre-start", exec: ["/x"] }] });
    const { warnings } = decide({}, {}, asking);
    assert.match(warnings.join("\n"), /memory.*\n.*quota/);
    assert.throws(
      () => decide({ strict: true }, {}, asking),
      fails("UNSUPPORTED", /as written/, { cause: /memory is ignored.*quota is ignored/, hint: /--strict/ }),
    );
    const warned = decide({ strict: true, volumes: ["data,kind=empty"] });
    assert.match(warned.warnings.join(), /mounted nowhere/);
  });

  it("has defaults: a user namespace, no network, a host name of the uuid", () => {
    const { privateUsers, network, hostname, warnings } = decide();
    assert.deepEqual([privateUsers, network, hostname], [true, "none", undefined]);
    assert.deepEqual(
      warnings.filter((warning) => !/limit|cgroup/.test(warning)),
      [],
    );
  });

  it("refuses a terminal for two apps", () => {
    const pod = chosen([web, imageOf("example.com/log")]);
    assert.throws(() => decidePod(settings, { interactive: true }, pod), fails("USAGE", /--interactive/));
    assert.equal(decidePod(settings, {}, pod).manifest.apps.length, 2);
  });

  it("looks at the sources of host volumes before anything is made (ACE-14, T-R21)", async (t) => {
    const directory = await temporaryDirectory(t);
    mkdirSync(join(directory, "real"));
    symlinkSync("real", join(directory, "link"));
    const given = (source: string, more: Partial<RunOptions> = {}) =>
      decide({ volumes: [`data,kind=host,source=${source}`], mounts: ["volume=data,target=/data"], ...more });
    const { mounts } = given(join(directory, "real"));
    assert.deepEqual(
      mounts.get("web")?.map(({ path, type }) => [path, type]),
      [[join(directory, "real"), "directory"]],
    );
    assert.throws(() => given(join(directory, "none")), fails("NOT_FOUND"));
    assert.throws(() => given(join(directory, "link")), fails("USAGE", /symbolic link/));
    const allowed = given(join(directory, "link"), { allowSymlinkSources: true });
    assert.equal(allowed.mounts.get("web")?.[0]?.path, join(directory, "real"));
  });
});

describe("whose isolators they are (ISO-1)", () => {
  const isolators = [
    { name: "os/linux/capabilities-retain-set", value: { set: ["CAP_SYS_ADMIN", "CAP_KILL"] } },
    { name: "os/linux/seccomp-retain-set", value: { set: ["@appc.io/all"] } },
  ];
  const image = imageOf("example.com/web", { isolators });

  it("ISO-2, ISO-3: an image's do not lead out, and what was cut is said before the start", async () => {
    for (const privateUsers of [true, false]) {
      const { isolation, warnings } = decide({ privateUsers }, {}, image);
      assert.deepEqual([isolation.apps[0]?.capabilities, isolation.apps[0]?.seccomp], [["CAP_KILL"], "default"]);
      assert.match(warnings.join("\n"), /capabilities-retain-set is modified: .*CAP_SYS_ADMIN/);
      assert.match(warnings.join("\n"), /seccomp-retain-set is modified: .*@appc\.io\/all/);
    }
  });

  it("the same on the command line is what the caller wants", async () => {
    const flags = { capsRetain: "CAP_SYS_ADMIN,CAP_KILL", seccomp: "mode=retain,@appc.io/all" };
    const { isolation } = decide({}, flags, image);
    const [app] = isolation.apps;
    assert.deepEqual([app?.capabilities, app?.seccomp], [["CAP_KILL", "CAP_SYS_ADMIN"], "off"]);
  });

  it("ISO-5: a writable volume of the host is known to every app's filter", async (t) => {
    const source = await temporaryDirectory(t);
    const mounts = ["volume=data,target=/data"];
    const writesHost = async (volume: string) => {
      const { isolation } = decide({ volumes: [volume], mounts });
      return isolation.apps.map((app) => app.writesHost);
    };
    assert.deepEqual(await writesHost(`data,kind=host,source=${source}`), [true]);
    assert.deepEqual(await writesHost(`data,kind=host,source=${source},readOnly=true`), [false]);
    assert.deepEqual(await writesHost("data,kind=empty"), [false]);
  });

  it("ISO-5: without a user namespace so is any volume of the host, and its network", async (t) => {
    const readOnly = [`data,kind=host,source=${await temporaryDirectory(t)},readOnly=true`];
    const mounts = ["volume=data,target=/data"];
    const writesHost = async (options: Partial<RunOptions>) => {
      const { isolation } = decide({ privateUsers: false, ...options });
      return isolation.apps.map((app) => app.writesHost);
    };
    assert.deepEqual(await writesHost({ volumes: readOnly, mounts }), [true]);
    assert.deepEqual(await writesHost({ network: "host" }), [true]);
    assert.deepEqual(await writesHost({ volumes: ["data,kind=empty"], mounts }), [false]);
    assert.deepEqual(await writesHost({}), [false]);
  });

  it("ISO-9: warns of a set-user-ID file on a writable volume of the host, once, and of none that cannot be written to", async (t) => {
    const source = await temporaryDirectory(t);
    mkdirSync(join(source, "bin"));
    writeFileSync(join(source, "bin", "su"), "");
    chmodSync(join(source, "bin", "su"), 0o4755);
    const mounts = ["volume=data,target=/data", "volume=again,target=/again"];
    const again = `again,kind=host,source=${source}`;
    const warnings = async (volumes: readonly string[]) =>
      decide({ volumes, mounts }).warnings.filter((warning) => warning.includes("set-user-ID"));
    const [warning, ...others] = await warnings([`data,kind=host,source=${source}`, again]);
    assert.ok(warning?.startsWith(`${source}/bin/su is set-user-ID`), warning);
    assert.deepEqual(others, []);
    assert.deepEqual(await warnings([`data,kind=host,source=${source},readOnly=true`, `${again},readOnly=true`]), []);
  });
});

describe("planInput", () => {
  const targets = async (tree: string, options: Partial<RunOptions> = {}) =>
    (await inputFor(tree, options)).apps[0]?.files.map(({ target }) => target);

  it("OS-3: the pod's hosts file only where the image has none, wherever its links lead inside", async (t) => {
    assert.deepEqual(await targets(await treeOf(t)), ["/etc/hostname", "/etc/hosts"]);
    assert.deepEqual(await targets(await treeOf(t, { "etc/hosts": "" })), ["/etc/hostname"]);
    const linked = await treeOf(t, { "run/hosts": "" });
    mkdirSync(join(linked, "etc"));
    symlinkSync("/run/hosts", join(linked, "etc", "hosts"));
    assert.deepEqual(await targets(linked), ["/etc/hostname"]);
  });

  it("T-R24: a link to a file of the host is none of the image", async (t) => {
    const tree = await treeOf(t);
    mkdirSync(join(tree, "etc"));
    symlinkSync("../../../../../../../proc/version", join(tree, "etc", "hosts"));
    assert.deepEqual(await targets(tree), ["/etc/hostname", "/etc/hosts"]);
  });

  it("T-R61: name servers only with the host's network", async (t) => {
    const tree = await treeOf(t);
    assert.equal((await targets(tree))?.includes("/etc/resolv.conf"), false);
    assert.equal((await targets(tree, { network: "host" }))?.includes("/etc/resolv.conf"), true);
  });

  it("keeps a log, but of a terminal; TERM is the caller's", async (t) => {
    const tree = await treeOf(t);
    const plain = await inputFor(tree);
    assert.deepEqual([plain.apps[0]?.log?.path, plain.terminal], ["logs/web", undefined]);
    const terminal = await inputFor(tree, { interactive: true });
    assert.deepEqual([terminal.apps[0]?.log, terminal.terminal], [undefined, "vt100"]);
  });

  it("is for the pod's ids and cgroups", async (t) => {
    const tree = await treeOf(t);
    const input = await inputFor(tree);
    assert.deepEqual(input.userNamespace, { base: 0x7000_0000, count: 65536 });
    for (const { path } of input.cgroups.directories) assert.ok(path.includes(`perigee-${uuid}`), path);
    assert.equal((await inputFor(tree, {}, { idBase: undefined })).userNamespace, undefined);
  });
});

describe("treeWarnings (ACE-11)", () => {
  it("names each mount that hides something of its image", async (t) => {
    const tree = await treeOf(t, { "data/file": "", "free/.keep": "" });
    const volumes = ["data,kind=empty", "more,kind=empty"];
    const mounts = ["volume=data,target=/data", "volume=more,target=/more"];
    const decisions = decide({ volumes, mounts });
    const warnings = treeWarnings(decisions, new Map([["web", tree]]));
    assert.deepEqual(warnings, ["web: volume data hides what the image has at /data"]);
    assert.deepEqual(treeWarnings(decide(), new Map([["web", tree]])), []);
  });
});
