import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  appOptions,
  detachOptions,
  parsePrepareOptions,
  parseRunOptions,
  podOptions,
  startOptions,
} from "../../src/cli/run-options.ts";
import { fails } from "../helpers/failures.ts";

const words = (text: string): readonly string[] => text.split(" ");
/** What was said, without what was not. */
const parse = (text: string): unknown => JSON.parse(JSON.stringify(parseRunOptions(words(text))));

/** Of a line that says nothing. */
const pod = {
  network: [],
  netAliases: [],
  dns: [],
  dnsSearch: [],
  dnsOptions: [],
  hostsEntries: [],
  ports: [],
  privateUsers: true,
  overlay: true,
  interactive: false,
  metadata: false,
  pullPolicy: "new",
  allowRollback: false,
  volumes: [],
  mounts: [],
  inheritEnvironment: false,
  setEnvironment: [],
  environmentFiles: [],
  allowSymlinkSources: false,
  appcDefaults: false,
  strict: false,
  detach: false,
};
const app = {
  args: [],
  environment: [],
  mounts: [],
  annotations: [],
  userAnnotations: [],
  userLabels: [],
};

const podLine =
  "--net=host --net-alias x --dns 10.0.0.1 --dns-search s --dns-opt o --dns-domain d --hosts-entry host --port http:80 --hostname h --sdnotify conmon --private-users=no --no-overlay --interactive --mds-register --pod-manifest p --pod-name n --pull-policy never --store-only --allow-rollback --volume a,kind=empty " +
  "--volume b,kind=empty --mount volume=a,target=/a --inherit-env --set-env A=1 --set-env B=2 --set-env-file f " +
  "--allow-symlink-sources --pids-limit 64 --appc-defaults --strict --uuid-file-save u --detach web";
const appLine =
  "web --name w --exec /x --user 1 --group 2 --supplementary-gids 3,4 --working-dir /d --readonly-rootfs " +
  "--environment A=1 --mount volume=a,target=/a --memory 1Mi --cpu 500m --cpu-shares 10 --oom-score-adj 5 " +
  "--caps-retain CAP_KILL --caps-remove CAP_CHOWN --seccomp mode=retain,read --restart on-failure:2 --restart-keep-root --health-cmd none " +
  "--health-interval 2s --health-timeout 500ms --health-start-period 1m --health-retries 4 --health-on-failure kill --annotation a=b --user-annotation c=d " +
  "--user-label e=f --stdin stream --signature s.asc -- --memory x --- log";

describe("parseRunOptions", () => {
  it("has defaults", () => {
    assert.deepEqual(parse("web"), { ...pod, apps: [{ ...app, image: "web" }] });
  });

  it("hands on every pod flag", () => {
    assert.deepEqual(parse(podLine), {
      network: ["host"],
      netAliases: ["x"],
      dns: ["10.0.0.1"],
      dnsSearch: ["s"],
      dnsOptions: ["o"],
      dnsDomain: "d",
      hostsEntries: ["host"],
      ports: ["http:80"],
      hostname: "h",
      sdnotify: "conmon",
      podManifest: "p",
      podName: "n",
      privateUsers: false,
      overlay: false,
      interactive: true,
      metadata: true,
      pullPolicy: "never",
      allowRollback: true,
      volumes: ["a,kind=empty", "b,kind=empty"],
      mounts: ["volume=a,target=/a"],
      inheritEnvironment: true,
      setEnvironment: ["A=1", "B=2"],
      environmentFiles: ["f"],
      allowSymlinkSources: true,
      pidsLimit: "64",
      appcDefaults: true,
      strict: true,
      uuidFile: "u",
      detach: true,
      apps: [{ ...app, image: "web" }],
    });
  });

  it("hands on every flag of an app, to that app alone", () => {
    assert.deepEqual(parse(appLine), {
      ...pod,
      apps: [
        {
          image: "web",
          args: ["--memory", "x"],
          name: "w",
          exec: "/x",
          user: "1",
          group: "2",
          supplementaryGids: "3,4",
          workingDirectory: "/d",
          readOnlyRootfs: true,
          environment: ["A=1"],
          mounts: ["volume=a,target=/a"],
          memory: "1Mi",
          cpu: "500m",
          cpuShares: "10",
          oomScoreAdj: "5",
          capsRetain: "CAP_KILL",
          capsRemove: "CAP_CHOWN",
          seccomp: "mode=retain,read",
          restart: "on-failure:2",
          restartKeepRoot: true,
          healthCommand: "none",
          healthInterval: 2000,
          healthTimeout: 500,
          healthStartPeriod: 60_000,
          healthRetries: "4",
          healthOnFailure: "kill",
          annotations: ["a=b"],
          userAnnotations: ["c=d"],
          userLabels: ["e=f"],
          stdin: "stream",
          signature: "s.asc",
        },
        { ...app, image: "log" },
      ],
    });
  });

  it("no declared flag is missing in these two lines", () => {
    for (const [line, options] of [
      [podLine, [...podOptions, ...detachOptions]],
      [appLine, appOptions],
    ] as const) {
      // --no-store contradicts --store-only; test/cli/pull-policy.test.ts has both.
      const flagsOf = options.map(([flags]) => flags.split(" ")[0] ?? "").filter((flag) => flag !== "--no-store");
      for (const flag of flagsOf) assert.ok(line.includes(flag), flag);
    }
  });

  for (const [line, text] of [
    ["--detach", /no image/],
    ["--hostname h", /no image/],
    ["--net example.com/web", /no image is named: --net took example\.com\/web/],
    ["--private-users=maybe web", /yes or no/],
    ["--pull-policy always web", /new, never or update/],
    ["--memory 1Mi web", /belongs to an image/],
  ] as const) {
    it(`refuses ${line}`, () => assert.throws(() => parse(line), fails("USAGE", text)));
  }
});

describe("parsePrepareOptions", () => {
  const prepare = (text: string): Record<string, unknown> =>
    JSON.parse(JSON.stringify(parsePrepareOptions(words(text))));

  it("reads the same line as run does, but for the start", () => {
    const line = "--private-users=no --volume a,kind=empty web --memory 1Mi -- x";
    const { network, interactive, metadata, detach, netAliases, dns, dnsSearch, dnsOptions, hostsEntries, ...rest } =
      JSON.parse(JSON.stringify(parseRunOptions(words(line))));
    assert.deepEqual([network, interactive, metadata, detach], [[], false, false, false]);
    assert.deepEqual([netAliases, dns, dnsSearch, dnsOptions, hostsEntries], [[], [], [], [], []]);
    assert.deepEqual(prepare(line), rest);
  });

  it("a pod manifest stands in place of images", () => {
    assert.deepEqual([prepare("--pod-manifest p")["apps"], prepare("--pod-manifest p")["podManifest"]], [[], "p"]);
  });

  for (const [flags] of [...startOptions, ...detachOptions]) {
    const flag = flags.split(" ")[0] ?? "";
    it(`refuses ${flag}, which is said when the pod is run`, () =>
      assert.throws(() => prepare(`${flag} web`), fails("USAGE", new RegExp(flag))));
  }

  it("refuses a line without an image", () => {
    assert.throws(() => prepare("--no-overlay"), fails("USAGE", /no image/, { hint: /perigee prepare/ }));
  });
});
