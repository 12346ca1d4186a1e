/** Settings for tests that need no configuration: nothing of the machine is read. */
import type { Settings } from "../../src/api/settings.ts";
import { silentLog } from "../../src/base/log.ts";
import { defaultImageLimits } from "../../src/image/limits.ts";

export function testSettings(): Settings {
  return {
    directories: {
      data: "/nonexistent",
      systemConfig: "/nonexistent",
      localConfig: "/nonexistent",
      userConfig: "/nonexistent",
    },
    insecure: new Set(),
    trustKeysFromHttps: false,
    debug: false,
    caFiles: [],
    connectTo: [],
    caller: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, isRoot: process.getuid?.() === 0 },
    sourceDateEpoch: undefined,
    environment: new Map(),
    log: silentLog,
    limits: async () => defaultImageLimits,
    http: () => Promise.reject(new Error("this test uses no network")),
  };
}
