import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { registerForMetadata } from "../../src/api/register-pod.ts";
import { silentLog } from "../../src/base/log.ts";
import { metadataDirectory } from "../../src/metadata/places.ts";
import { readRegistration, urlOf } from "../../src/metadata/registration.ts";
import { MetadataService } from "../../src/metadata/service.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { testSettings } from "../helpers/settings.ts";
import { temporary } from "../helpers/trust.ts";

const path = temporary();

describe("registering for the metadata service", () => {
  it("META-3: gives the apps' URL, in the pod's own network or the host's, and keeps it with the pod", async () => {
    const base = testSettings();
    const settings = { ...base, directories: { ...base.directories, data: path("data") } };
    const describe = () => ({ uuid: "", manifest: Buffer.from("{}"), imageManifest: () => Buffer.from("{}") });
    const service = await MetadataService.start({
      data: path("data"),
      port: 0,
      idleSeconds: 0,
      describe,
      log: silentLog,
    });
    for (const isHost of [false, true]) {
      const pod = Pod.create(openPods(path("data")));
      const metadata = await registerForMetadata(settings, pod, isHost, undefined);
      const kept = readRegistration(pod.directory);
      assert.ok(kept !== undefined && metadata !== undefined);
      assert.equal(metadata.url, urlOf(kept));
      assert.equal(metadata.port, isHost ? undefined : 18_112, "init listens only in a network of the pod's own");
      assert.equal(statSync(join(pod.directory, "metadata")).mode & 0o777, 0o600);
      pod.release();
    }
    await service.close();
    for (let tries = 0; tries < 100 && existsSync(join(metadataDirectory(path("data")), "socket")); tries++)
      await sleep(10);
  });
});
