import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serveMetadata } from "../../src/api/metadata-service.ts";
import type { Settings } from "../../src/api/settings.ts";
import { testSettings } from "../helpers/settings.ts";
import { failure, temporary } from "../helpers/trust.ts";

const path = temporary();
const settings = (change: Partial<Settings> = {}): Settings => {
  const base = testSettings();
  return { ...base, directories: { ...base.directories, data: path("data") }, ...change };
};

describe("serveMetadata", () => {
  it("META-2: says where pods are registered, and ends with its signal", async () => {
    const abort = new AbortController();
    const seen: string[] = [];
    await serveMetadata(settings(), {
      signal: abort.signal,
      onReady: ({ socket }) => {
        seen.push(socket);
        abort.abort();
      },
    });
    assert.deepEqual(seen, [path("data", "metadata", "socket")]);
  });

  it("META-8: takes one socket from whoever started this very process for it", async () => {
    const signal = AbortSignal.timeout(20_000);
    const environment = new Map([
      ["LISTEN_PID", String(process.pid)],
      ["LISTEN_FDS", "2"],
    ]);
    await assert.rejects(
      serveMetadata(settings({ environment }), { signal }),
      failure("USAGE", /one socket|LISTEN_FDS/),
    );
    const ofAnother = new Map([
      ["LISTEN_PID", "1"],
      ["LISTEN_FDS", "2"],
    ]);
    const abort = new AbortController();
    await serveMetadata(settings({ environment: ofAnother }), { signal: abort.signal, onReady: () => abort.abort() });
  });

  it("is root's", async () => {
    const signal = AbortSignal.timeout(20_000);
    const caller = { uid: 1000, gid: 1000, isRoot: false };
    await assert.rejects(serveMetadata(settings({ caller }), { signal }), failure("NOT_ROOT", /root/));
  });
});
