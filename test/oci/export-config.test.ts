import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ConfigInput, outgoingConfig } from "../../src/oci/export-config.ts";
import { ImageManifest } from "../../src/schema/image-manifest.ts";
import { fails } from "../helpers/failures.ts";

const layers: ConfigInput["layers"] = [
  { diffId: `sha256:${"a".repeat(64)}`, madeOf: "base" },
  { diffId: `sha256:${"b".repeat(64)}`, madeOf: "top" },
];

function convert(fields: object, more: Partial<ConfigInput> = {}) {
  const lost: string[] = [];
  const manifest = ImageManifest.parse({
    acKind: "ImageManifest",
    acVersion: "0.8.11",
    name: "example.com/web",
    labels: [
      { name: "os", value: "linux" },
      { name: "arch", value: "amd64" },
    ],
    ...fields,
  });
  const input = { manifest, layers, sourceDateEpoch: undefined, owners: () => undefined, ...more };
  const { bytes, annotations } = outgoingConfig({ ...input, lost: (what) => lost.push(what) });
  return { document: JSON.parse(bytes.toString("utf8")), annotations, lost };
}

const app = (more: object = {}) => ({ app: { exec: ["/bin/web", "-v"], user: "0", group: "0", ...more } });

describe("OCI-82: the config of an App Container Image", () => {
  it("says what the app section says, in its order", () => {
    const { document, lost } = convert(
      app({
        user: "33",
        group: "44",
        environment: [{ name: "A", value: "1=2" }],
        workingDirectory: "/srv",
        ports: [{ name: "80-tcp", protocol: "tcp", port: 80 }],
        mountPoints: [{ name: "volume-data", path: "/data" }],
        userLabels: { team: "web" },
      }),
    );
    assert.deepEqual(document, {
      architecture: "amd64",
      os: "linux",
      config: {
        User: "33:44",
        ExposedPorts: { "80/tcp": {} },
        Env: ["A=1=2"],
        Entrypoint: ["/bin/web", "-v"],
        Volumes: { "/data": {} },
        WorkingDir: "/srv",
        Labels: { team: "web" },
      },
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
      history: [{ created_by: "base" }, { created_by: "top" }],
    });
    assert.deepEqual(lost, []);
  });

  it("the time is SOURCE_DATE_EPOCH, else the image's own, else none", () => {
    const annotations = [{ name: "created", value: "2020-01-02T03:04:05Z" }];
    const times = [convert({}), convert({ annotations }), convert({ annotations }, { sourceDateEpoch: 7 })];
    assert.deepEqual(
      times.map(({ document }) => [document.created, document.history[0].created]),
      [
        [undefined, undefined],
        ["2020-01-02T03:04:05Z", "2020-01-02T03:04:05Z"],
        ["1970-01-01T00:00:07Z", "1970-01-01T00:00:07Z"],
      ],
    );
  });

  it("what came from a config goes back as it was, unless exec was changed", () => {
    const annotations = [
      { name: "appc.io/docker/entrypoint", value: '["/bin/web"]' },
      { name: "appc.io/docker/cmd", value: '["-v"]' },
      { name: "appc.io/docker/stopsignal", value: "SIGQUIT" },
      { name: "appc.io/docker/healthcheck", value: '{"Test":["NONE"]}' },
    ];
    const { config } = convert({ ...app(), annotations }).document;
    assert.deepEqual([config.Entrypoint, config.Cmd], [["/bin/web"], ["-v"]]);
    assert.deepEqual([config.StopSignal, config.Healthcheck], ["SIGQUIT", { Test: ["NONE"] }]);
    const changed = convert({ ...app({ exec: ["/bin/other"] }), annotations }).document.config;
    assert.deepEqual([changed.Entrypoint, changed.Cmd], [["/bin/other"], undefined]);
    const broken = [{ name: "appc.io/docker/healthcheck", value: "{" }];
    assert.match(convert({ ...app(), annotations: broken }).lost.join(), /health check/);
  });

  it("the health check of ours is Docker's", () => {
    const check = (value: object) => convert(app({ isolators: [{ name: "perigee/health-check", value }] }));
    const { document, lost } = check({ command: ["/check", "-q"], interval: 1.5, retries: 2, onFailure: "none" });
    assert.deepEqual(document.config.Healthcheck, { Test: ["CMD", "/check", "-q"], Interval: 1.5e9, Retries: 2 });
    assert.deepEqual(lost, []);
    const killing = check({ command: [], onFailure: "kill" });
    assert.deepEqual(killing.document.config.Healthcheck, { Test: ["NONE"] });
    assert.deepEqual(killing.lost, ["what is done when the health check fails: kill"]);
  });

  it("annotations and labels have their places", () => {
    const { document, annotations } = convert({
      labels: [
        { name: "version", value: "1.0" },
        { name: "os", value: "linux" },
        { name: "arch", value: "armv6l" },
        { name: "channel", value: "beta" },
      ],
      annotations: [
        { name: "authors", value: "Me <me@example.com>" },
        { name: "homepage", value: "https://example.com/" },
        { name: "appc.io/docker/tag", value: "1.0" },
        { name: "example.com/own", value: "x" },
      ],
    });
    assert.deepEqual([document.architecture, document.variant], ["arm", "v6"]);
    assert.deepEqual([document.author, document.config], ["Me <me@example.com>", { Labels: { channel: "beta" } }]);
    assert.deepEqual(annotations, {
      "example.com/own": "x",
      "org.opencontainers.image.title": "example.com/web",
      "org.opencontainers.image.url": "https://example.com/",
      "org.opencontainers.image.version": "1.0",
    });
  });

  it("OCI-88: what it has no words for is told", () => {
    const { lost } = convert({
      ...app({
        isolators: [{ name: "resource/memory", value: { limit: "1G" } }],
        eventHandlers: [{ name: "pre-start", exec: ["/a"] }],
        mountPoints: [{ name: "data", path: "/data", readOnly: true }],
        ports: [
          { name: "admin", protocol: "tcp", port: 81, socketActivated: true },
          { name: "odd", protocol: "dccp", port: 82 },
        ],
        userLabels: { channel: "other" },
        userAnnotations: { "example.com/own": "other" },
      }),
      labels: [{ name: "channel", value: "beta" }],
      annotations: [{ name: "example.com/own", value: "x" }],
    });
    const words = [
      ...["resource/memory", "pre-start", "data is read only", "name of the mount point data", "admin is opened"],
      ...["odd: its protocol", "names of the ports admin, odd", "label channel", "annotation example.com/own"],
      "runs on every architecture",
    ];
    for (const word of words)
      assert.ok(
        lost.some((what) => what.includes(word)),
        `${word}: ${lost.join("; ")}`,
      );
    assert.equal(lost.length, words.length);
  });

  it("a platform without a word is refused", () => {
    const labels = [
      { name: "os", value: "linux" },
      { name: "arch", value: "armv7b" },
    ];
    assert.throws(() => convert({ labels }), fails("UNSUPPORTED", /armv7b/));
  });
});
