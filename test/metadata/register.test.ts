import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { registerPod } from "../../src/metadata/register.ts";
import { MetadataService } from "../../src/metadata/service.ts";
import { failure, temporary } from "../helpers/trust.ts";

const path = temporary();
const uuid = "11111111-1111-4111-8111-111111111111";

describe("registering a pod", () => {
  it("META-3: starts the service once, however many ask at once", async () => {
    const data = path("many");
    const services: Promise<MetadataService>[] = [];
    const start = () => {
      const describe = () => ({ uuid, manifest: Buffer.from("{}"), imageManifest: () => Buffer.from("{}") });
      services.push(MetadataService.start({ data, port: 18_999, idleSeconds: 0, describe, log: silentLog }));
      return { failure: () => undefined };
    };
    const ports = await Promise.all(
      Array.from({ length: 20 }, () => registerPod({ data, uuid, isHost: false, start })),
    );
    assert.deepEqual(new Set(ports), new Set([18_999]));
    assert.equal(services.length, 1);
    await (await services[0])?.close();
  });

  it("says why the service did not start", async () => {
    const start = () => ({ failure: () => "the secret is damaged" });
    await assert.rejects(
      registerPod({ data: path("none"), uuid, isHost: false, start }),
      failure("TIMED_OUT", /damaged/),
    );
  });

  it("is given up by the signal", async () => {
    const start = () => ({ failure: () => undefined });
    const signal = AbortSignal.timeout(50);
    await assert.rejects(
      registerPod({ data: path("slow"), uuid, isHost: false, start, signal }),
      failure("INTERRUPTED", /interrupted/),
    );
  });

  it("goes on where a service was killed and left its socket, and where a file stands in its place", async () => {
    const data = path("left");
    mkdirSync(path("left", "metadata"), { recursive: true });
    writeFileSync(path("left", "metadata", "socket"), "");
    let service: Promise<MetadataService> | undefined;
    const start = () => {
      const describe = () => ({ uuid, manifest: Buffer.from("{}"), imageManifest: () => Buffer.from("{}") });
      service = MetadataService.start({ data, port: 18_998, idleSeconds: 0, describe, log: silentLog });
      return { failure: () => undefined };
    };
    assert.equal(await registerPod({ data, uuid, isHost: false, start }), 18_998);
    await (await service)?.close();
  });
});
