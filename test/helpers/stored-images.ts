/** A store with three images above each other, for tests of what looks at images. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadSettings, type Settings } from "../../src/api/settings.ts";
import type { ImageID } from "../../src/schema/image-id.ts";
import { openStore, type Store } from "../../src/store/layout.ts";
import { type FakeImage, importReal, makeImage, type RealFile } from "./images.ts";
import { temporaryDirectory } from "./temporary.ts";

export interface StoredImages {
  /** Beside the data directory. */
  readonly home: string;
  readonly data: string;
  readonly settings: Settings;
  readonly store: Store;
  /** `top` depends on `middle` and `base`, `middle` on `base`; `top` has a whitelist. */
  readonly ids: Readonly<Record<"base" | "middle" | "top", ImageID>>;
  add(image: FakeImage, files: readonly RealFile[]): Promise<ImageID>;
  /** An .aci that is not stored; its path. */
  file(name: string, image: FakeImage, files: readonly RealFile[]): Promise<string>;
}

export const topWhitelist = ["/bin/base", "/bin/shared", "/etc/conf", "/big"];

export async function storedImages(context: { after(done: () => Promise<void>): void }): Promise<StoredImages> {
  const home = await temporaryDirectory(context);
  const data = join(home, "data");
  const store = await openStore(data);
  const add = async (image: FakeImage, files: readonly RealFile[]): Promise<ImageID> =>
    (await importReal(store, await makeImage(image, files))).id;
  const on = (...names: readonly string[]) => names.map((name) => ({ imageName: `example.com/${name}` }));
  const base = await add({ name: "example.com/base", version: "1" }, [
    { path: "bin", type: "directory" },
    { path: "bin/base", content: "base" },
    { path: "bin/shared", content: "of base" },
    { path: "bin/twin", type: "link", target: "bin/base" },
  ]);
  const middle = await add({ name: "example.com/middle", dependencies: on("base") }, [
    { path: "bin/shared", content: "of middle" },
    { path: "unlisted", content: "u".repeat(500) },
  ]);
  const top = await add(
    { name: "example.com/top", version: "2.0", dependencies: on("middle", "base"), whitelist: topWhitelist },
    [
      { path: "etc", type: "directory" },
      { path: "etc/conf", content: "conf" },
      { path: "big", content: "b".repeat(3000) },
    ],
  );
  return {
    home,
    data,
    settings: await loadSettings({ dir: data }),
    store,
    ids: { base, middle, top },
    add,
    file: async (name, image, files) => {
      const path = join(home, name);
      await writeFile(path, (await makeImage(image, files)).archive ?? "");
      return path;
    },
  };
}
