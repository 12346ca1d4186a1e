import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseConfig } from "../../src/oci/config.ts";
import { fails } from "../helpers/failures.ts";
import { makeParts } from "../helpers/oci-images.ts";

const document = JSON.parse(makeParts({ layers: [Buffer.alloc(1024)] }).config.bytes.toString("utf8"));
const parse = (more: object, layers = 1) =>
  parseConfig(Buffer.from(JSON.stringify({ ...document, ...more })), layers, "it");

describe("the config of an image (OCI-8)", () => {
  it("what it says is taken, what it leaves out is empty", () => {
    const config = parse({
      author: "A",
      config: {
        Entrypoint: ["/a"],
        Cmd: "b",
        Env: ["K=V"],
        ExposedPorts: { "80/tcp": {} },
        Volumes: null,
        Labels: { a: "b", c: 1 },
      },
    });
    assert.deepEqual(config.entrypoint, ["/a"]);
    assert.deepEqual(config.command, ["b"]);
    assert.deepEqual(config.exposedPorts, ["80/tcp"]);
    assert.deepEqual(config.volumes, []);
    assert.deepEqual([...config.labels], [["a", "b"]]);
    const bare = parse({ config: null });
    assert.deepEqual([bare.entrypoint, bare.command, bare.user, bare.workingDirectory], [[], [], undefined, undefined]);
  });
  const broken: readonly (readonly [string, object])[] = [
    ["no platform", { os: undefined }],
    ["no rootfs", { rootfs: undefined }],
    ["another number of layers", { rootfs: { diff_ids: [] } }],
    ["a diff id that is none", { rootfs: { diff_ids: ["sha256:x"] } }],
    ["a word that is no text", { config: { Cmd: [1] } }],
    ["a NUL in a word", { config: { Cmd: ["a\0b"] } }],
    ["ports that are a list", { config: { ExposedPorts: ["80"] } }],
  ];
  for (const [why, more] of broken) {
    it(`${why} is refused`, () => assert.throws(() => parse(more), fails("IMAGE_INVALID")));
  }
  it("too many words are refused", () => {
    assert.throws(() => parse({ config: { Cmd: Array(10_001).fill("a") } }), fails("LIMIT_EXCEEDED"));
  });
});
