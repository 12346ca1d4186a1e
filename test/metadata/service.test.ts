import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { metadataDirectory } from "../../src/metadata/places.ts";
import { registerPod } from "../../src/metadata/register.ts";
import { newToken, urlOf, writeRegistration } from "../../src/metadata/registration.ts";
import { MetadataService, type ServiceOptions } from "../../src/metadata/service.ts";
import { failure, temporary } from "../helpers/trust.ts";

const path = temporary();
const uuid = "aaaaaaaa-1111-4111-8111-111111111111";
/** A socket's address has no room for it. */
const deep = "d".repeat(120);
const never = () => assert.fail("somebody answers");

async function start(name: string, options: Partial<ServiceOptions> = {}) {
  const data = path(name);
  mkdirSync(data, { recursive: true });
  const describe = (of: string) => ({ uuid: of, manifest: Buffer.from("{}"), imageManifest: () => Buffer.from("{}") });
  const service = await MetadataService.start({ data, port: 0, idleSeconds: 0, describe, log: silentLog, ...options });
  return { data, service };
}

/** Of a pod that runs with the host's network; this process stands for its init. */
function podDirectory(data: string): string {
  const directory = join(data, "pods", "run", uuid);
  mkdirSync(directory, { recursive: true });
  return directory;
}

function beginsToRun(directory: string, startTime = ownStart()): void {
  writeFileSync(join(directory, "pid"), `${process.pid} ${startTime}\n`);
}

function ownStart(): string {
  const stat = readFileSync("/proc/self/stat", "latin1");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

const asks = async (url: string) => (await fetch(`${url}/acMetadata/v1/pod/uuid`)).status;

describe("the metadata service", () => {
  it("META-5: answers a pod that registers before it runs, and one that was there before it", async () => {
    const { data, service } = await start(deep);
    const directory = podDirectory(data);
    const port = await registerPod({ data, uuid, isHost: true, start: never });
    const registration = { token: newToken(), port, isHost: true };
    writeRegistration(directory, registration);
    const early = asks(urlOf(registration));
    beginsToRun(directory);
    assert.equal(await early, 200, "whoever asks while it starts is not sent away");
    assert.equal(await asks(urlOf({ ...registration, token: newToken() })), 401);
    await service.close();
    await assert.rejects(fetch(urlOf(registration)));
    const next = await start(deep);
    assert.equal(await asks(urlOf(registration)), 200, "at the port that its apps were told");
    await next.service.close();
  });

  it("META-2: ends when it is idle, with its socket; a pod that has ended is let go of", async () => {
    const { data, service } = await start("idle", { idleSeconds: 0.2 });
    const directory = podDirectory(data);
    const port = await registerPod({ data, uuid, isHost: true, start: never });
    writeRegistration(directory, { token: newToken(), port, isHost: true });
    beginsToRun(directory, "1");
    await service.ended;
    assert.ok(!existsSync(join(metadataDirectory(data), "socket")));
  });

  it("META-3: is one for a data directory", async () => {
    const { service } = await start("one");
    await assert.rejects(start("one"), failure("LOCKED", /runs already/));
    await service.close();
    await (await start("one")).service.close();
  });

  it("META-7: a registration that is none is refused, however it is said", async () => {
    const { data, service } = await start("nonsense");
    for (const line of [
      "own ../../etc\n",
      `guest ${uuid}\n`,
      "\n",
      `own ${uuid.toUpperCase()}\n`,
      "x".repeat(10_000),
    ]) {
      const socket = connect(join(metadataDirectory(data), "socket"));
      socket.on("error", () => {});
      let answer = "";
      socket.on("data", (part) => {
        answer += String(part);
      });
      socket.write(line);
      await once(socket, "close");
      assert.doesNotMatch(answer, /port/, line);
    }
    assert.equal(typeof (await registerPod({ data, uuid, isHost: false, start: never })), "number");
    await service.close();
  });
});
