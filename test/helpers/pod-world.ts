/** A data directory with images of the guest program, for tests of the verbs about pods without a process for each of them. */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before } from "node:test";
import { buildImage } from "../../src/api/build.ts";
import { fetchImages } from "../../src/api/fetch.ts";
import { collectGarbage } from "../../src/api/gc.ts";
import { listPods } from "../../src/api/pods.ts";
import { type PodHandle, type RunOptions, runPod } from "../../src/api/run.ts";
import type { Settings } from "../../src/api/settings.ts";
import { stopPods } from "../../src/api/stop.ts";
import { silentLog } from "../../src/base/log.ts";
import { assertNothingLeft, leakSnapshot } from "./leak-check.ts";
import { guest, imageManifest } from "./program.ts";
import { testSettings } from "./settings.ts";
import { makeTemporary } from "./temporary.ts";

export class PodWorld {
  readonly directory: string;
  readonly settings: Settings;
  /** What was warned of. */
  readonly heard: string[] = [];
  readonly #remove: () => Promise<void>;

  private constructor(directory: string, remove: () => Promise<void>) {
    this.directory = directory;
    this.#remove = remove;
    this.settings = {
      ...testSettings(),
      directories: {
        data: join(directory, "data"),
        systemConfig: join(directory, "system"),
        localConfig: join(directory, "local"),
        userConfig: join(directory, "user"),
      },
      insecure: new Set(["image"]),
      log: { ...silentLog, warn: (message) => this.heard.push(message) },
    };
  }

  static async open(): Promise<PodWorld> {
    const { path, remove } = await makeTemporary();
    return new PodWorld(path, remove);
  }

  get data(): string {
    return this.settings.directories.data;
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }

  /** Builds an image that runs the guest, with further files (path → content). Returns the path of the .aci. */
  async image(
    name: string,
    app: Readonly<Record<string, unknown>> = {},
    files: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const place = this.path(name.replaceAll("/", "-"));
    mkdirSync(join(place, "rootfs"), { recursive: true });
    copyFileSync(guest, join(place, "rootfs", "guest"));
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(place, "rootfs", path)), { recursive: true });
      writeFileSync(join(place, "rootfs", path), content);
    }
    writeFileSync(join(place, "manifest"), JSON.stringify(imageManifest(name, app)));
    await buildImage(this.settings, { directory: place, output: `${place}.aci`, overwrite: true });
    return `${place}.aci`;
  }

  /** The image in the store; returns its name. */
  async stored(...image: Parameters<PodWorld["image"]>): Promise<string> {
    await fetchImages(this.settings, { images: [{ reference: await this.image(...image) }] });
    return image[0];
  }

  /** A pod in the background, running when this returns; `args` are the guest's. */
  async start(image: string, args: readonly string[], options: Partial<RunOptions> = {}): Promise<PodHandle> {
    const pod = await runPod(this.settings, { apps: [{ image, args }], ...options, foreground: false });
    return await pod.spawn();
  }

  /** Everything that a pod that does not exist must not have left: pods, claimed ids. */
  remains(): readonly string[] {
    const names = (directory: string) => (existsSync(directory) ? readdirSync(directory) : []);
    const pods = join(this.data, "pods");
    return [
      ...names(pods).flatMap((phase) => names(join(pods, phase)).map((uuid) => `${phase}/${uuid}`)),
      ...names(join(this.data, "id-ranges")).map((slot) => `id-ranges/${slot}`),
    ];
  }

  async close(): Promise<void> {
    const running = (await listPods(this.settings)).filter(({ state }) => state === "running");
    const pods = running.map(({ uuid }) => uuid);
    if (pods.length > 0) await stopPods(this.settings, { pods, force: true, timeoutMs: 0 });
    await collectGarbage(this.settings, { gracePeriodMs: 0, expirePreparedMs: 0, markOnly: false });
    await this.#remove();
  }
}

/** A world with the guest as an image, for the tests of one file; closed, and looked at for what is left, behind them. */
export function guestWorld(): { readonly world: PodWorld; readonly image: string } {
  const clean = leakSnapshot();
  let [world, image]: [PodWorld | undefined, string] = [undefined, ""];
  before(async () => {
    world = await PodWorld.open();
    image = await world.stored("example.com/guest", { exec: ["/guest"] });
  });
  after(async () => {
    await world?.close();
    await assertNothingLeft(clean);
  });
  return {
    get world() {
      assert.ok(world !== undefined, "a world is there when tests run");
      return world;
    },
    get image() {
      return image;
    },
  };
}
