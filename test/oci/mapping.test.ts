import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseConfig } from "../../src/oci/config.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { mapImage } from "../../src/oci/mapping.ts";
import { parseOciReference } from "../../src/oci/reference.ts";
import { fails } from "../helpers/failures.ts";
import { makeParts } from "../helpers/oci-images.ts";

const digest: Digest = `sha256:${"1".repeat(64)}`;

function map(
  config: object,
  more: { readonly document?: object; readonly annotations?: Readonly<Record<string, string>> } = {},
) {
  const parts = makeParts({ layers: [], config: { ...config }, document: { ...more.document } });
  const reference = parseOciReference("docker://localhost:5000/team/web:1.2");
  assert.ok(reference !== undefined);
  const mapped = mapImage({
    ...{ reference, imageName: "localhost:5000/team/web", tag: "1.2", configDigest: digest, manifestDigest: digest },
    config: parseConfig(parts.config.bytes, 0, "it"),
    annotations: new Map(Object.entries(more.annotations ?? {})),
    read: () => undefined,
  });
  const annotations = new Map<string, string>(mapped.manifest.annotations.map(({ name, value }) => [name, value]));
  return { ...mapped, app: mapped.manifest.app, annotations };
}

const amd64 = { document: { architecture: "amd64" } };

describe("the image manifest of a Docker image (OCI-30…45)", () => {
  it("OCI-30, OCI-31: name and labels", () => {
    const { manifest } = map({}, { document: { architecture: "arm", variant: "v6" } });
    assert.equal(manifest.name, "localhost_5000/team/web");
    assert.deepEqual(manifest.labels, [
      { name: "version", value: "1.2" },
      { name: "os", value: "linux" },
      { name: "arch", value: "armv6l" },
    ]);
  });
  it("OCI-30: a platform that appc has no word for is refused, not dropped", () => {
    assert.throws(() => map({}, { document: { architecture: "riscv64" } }), fails("UNSUPPORTED", /riscv64/));
    assert.throws(() => map({}, { document: { os: "windows" } }), fails("UNSUPPORTED", /windows/));
  });
  it("OCI-33: the command is entrypoint and arguments, and it is known where one ends", () => {
    const { app, entrypoint, annotations } = map({ Entrypoint: ["/a", "b"], Cmd: ["c"] });
    assert.deepEqual(app?.exec, ["/a", "b", "c"]);
    assert.equal(entrypoint, 2);
    assert.equal(annotations.get("appc.io/docker/entrypoint"), '["/a","b"]');
    assert.equal(annotations.get("appc.io/docker/cmd"), '["c"]');
    assert.equal(map({ Cmd: ["c"] }).entrypoint, 0);
  });
  it("OCI-35: variables by the first =, the last of a name counts, one without has no value", () => {
    const { app, warnings } = map({ Env: ["A=1", "B=x=y", "A=2", "C", "bad name=1", "=2"] });
    assert.deepEqual(app?.environment, [
      { name: "A", value: "2" },
      { name: "B", value: "x=y" },
      { name: "C", value: "" },
    ]);
    assert.equal(warnings.filter((text) => /variable/.test(text)).length, 2);
  });
  it("OCI-38: the working directory is absolute, and never above the root", () => {
    const place = (WorkingDir: string) => map({ WorkingDir }).app?.workingDirectory;
    assert.deepEqual(["/a/./b//", "a", "../../etc", "/", ""].map(place), ["/a/b", "/a", "/etc", "/", undefined]);
  });
  it("OCI-39: labels are the app's, the author is annotated, a time is one or is left out", () => {
    const { app, annotations } = map(
      { Labels: { "com.example.Any": "x" } },
      {
        ...amd64,
        document: { author: "Ann <a@example.com>", created: "2024-05-06T07:08:09.123456789Z" },
      },
    );
    assert.deepEqual(app?.userLabels, { "com.example.Any": "x" });
    assert.equal(annotations.get("authors"), "Ann <a@example.com>");
    assert.equal(annotations.get("created"), "2024-05-06T07:08:09.123456789Z");
    for (const created of ["yesterday", "2024-02-30T00:00:00Z", ""]) {
      assert.equal(map({}, { document: { created } }).annotations.has("created"), false, created);
    }
  });
  it("OCI-39: what OCI calls url and documentation are appc's, if they are addresses", () => {
    const labels = {
      "org.opencontainers.image.url": "https://example.com/",
      "org.opencontainers.image.documentation": "no",
    };
    const { annotations } = map({ Labels: labels });
    assert.equal(annotations.get("homepage"), "https://example.com/");
    assert.equal(annotations.has("documentation"), false);
  });
  it("OCI-41, OCI-70: health check and stop signal are kept as they are, and the check is asked of the app", () => {
    const healthcheck = { Test: ["CMD", "true"], Interval: 5 };
    const { annotations, app } = map({ StopSignal: "SIGQUIT", Healthcheck: healthcheck });
    const isolator = { name: "perigee/health-check", value: { command: ["true"], interval: 0.001 } };
    assert.deepEqual(JSON.parse(JSON.stringify(app?.isolators)), [isolator]);
    assert.equal(annotations.get("appc.io/docker/stopsignal"), "SIGQUIT");
    assert.equal(annotations.get("appc.io/docker/healthcheck"), '{"Test":["CMD","true"],"Interval":5}');
  });
  it("OCI-40: the digests are said, so that the image is named by what it is", () => {
    const { annotations } = map({});
    assert.equal(annotations.get("appc.io/docker/manifesthash"), digest);
    assert.equal(annotations.get("appc.io/docker/imageid"), digest);
    assert.equal(annotations.get("appc.io/docker/registryurl"), "localhost:5000");
  });
  it("T-R43, OCI-42: an annotation of the image is data, and never one of ours", () => {
    const hostile = {
      "appc.io/executor/supports-systemd-notify": "true",
      "appc.io/docker/entrypoint": '["/evil"]',
      created: "nonsense",
      "Not An Identifier": "x",
      "example.com/mine": "y",
    };
    const { app, annotations, warnings } = map({}, { annotations: hostile });
    assert.equal(annotations.has("appc.io/executor/supports-systemd-notify"), false);
    assert.equal(annotations.get("appc.io/docker/entrypoint"), "[]");
    assert.equal(annotations.get("example.com/mine"), "y");
    assert.equal(warnings.length, 4);
    assert.deepEqual([app?.isolators, app?.eventHandlers], [[], []]);
  });
});
