/** A store that images of layouts are fetched into. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fetchImages } from "../../src/api/fetch.ts";
import type { Settings } from "../../src/api/settings.ts";
import { silentLog } from "../../src/base/log.ts";
import { openStoreSync } from "../../src/store/layout.ts";
import { layersOf } from "../../src/store/shared-layers.ts";
import { type ImageParts, writeLayout } from "./oci-images.ts";
import { testSettings } from "./settings.ts";
import { temporaryDirectory } from "./temporary.ts";

export class Scene {
  readonly directory: string;
  readonly settings: Settings;
  readonly heard: string[] = [];
  #count = 0;

  constructor(directory: string, insecure: readonly "image"[] = ["image"]) {
    this.directory = directory;
    this.settings = {
      ...testSettings(),
      directories: { ...testSettings().directories, data: join(directory, "data") },
      insecure: new Set(insecure),
      log: { ...silentLog, warn: (message) => this.heard.push(message) },
    };
  }

  get store() {
    return openStoreSync(this.settings.directories.data);
  }

  layout(parts: ImageParts): string {
    const place = join(this.directory, `layout-${this.#count++}`);
    writeLayout(place, { tag: "1", ...parts });
    return place;
  }

  async fetch(reference: string) {
    const [record] = await fetchImages(this.settings, { images: [{ reference }] });
    assert.ok(record !== undefined);
    return record;
  }

  layers(): readonly string[] {
    return existsSync(layersOf(this.store)) ? readdirSync(layersOf(this.store)).sort() : [];
  }

  /** Everything below the store that an import could leave, but for locks. */
  left(): readonly string[] {
    const names = readdirSync(this.store.root, { recursive: true, encoding: "utf8" });
    return names.filter((name) => /^(?:index|trees|manifests|staging|trash|layers|blobs\/oci\/..)\/./.test(name));
  }
}

export async function scene(
  context: Parameters<typeof temporaryDirectory>[0],
  insecure: readonly "image"[] = ["image"],
) {
  return new Scene(await temporaryDirectory(context), insecure);
}
