/** The image of a recipe together with its bill of materials: the steps, the bill of their result, then the archive (SBOM-7). */

import {
  type BuiltRecipe,
  type BuiltTree,
  buildImageOf,
  buildTree,
  type RecipeBuild,
  treeEntries,
} from "../recipe/build.ts";
import { keyOf } from "../recipe/cache.ts";
import { findFile, keepFile } from "../recipe/kept-file.ts";
import type { ImageManifest } from "../schema/image-manifest.ts";
import type { SbomKind } from "../schema/sbom-link.ts";
import { buildWithSbom, requireFreeSbom, type StoredSbom } from "./build-sbom.ts";
import { sbomOfTree } from "./sbom.ts";
import type { Settings } from "./settings.ts";
import { version } from "./version.ts";

/** Both files or neither. @throws Failure as buildTree and buildWithSbom */
export async function buildRecipeWithSbom(
  settings: Settings,
  build: RecipeBuild,
  kind: SbomKind,
): Promise<BuiltRecipe & { readonly sbom: StoredSbom }> {
  const { output, overwrite, plan, shop } = build;
  await requireFreeSbom(output, kind, overwrite);
  const tree = await buildTree(build);
  return await buildWithSbom(
    { manifest: plan.manifest, manifestPath: `the manifest that ${shop.recipeFile} makes` },
    { kind, output, overwrite },
    {
      describe: async (manifest) => await describeTree(settings, { build, tree, manifest, kind }),
      build: async (manifest) => await buildImageOf(build, tree, manifest),
    },
  );
}

interface Request {
  readonly build: RecipeBuild;
  readonly tree: BuiltTree;
  readonly manifest: ImageManifest;
  readonly kind: SbomKind;
}

/** From the cache when nothing it follows from has changed. One that has problems is made anew, so that they are told again. */
async function describeTree(settings: Settings, { build, tree, manifest, kind }: Request): Promise<Buffer> {
  const { cache, useCache } = build.shop;
  const layers = tree.layers.map(({ id }) => id);
  const key = keyOf(["sbom", version, kind, layers, manifest, settings.sourceDateEpoch]);
  const kept = useCache ? await findFile(cache, key) : undefined;
  if (kept !== undefined) return kept;
  const sbom = await sbomOfTree(settings, manifest, () => treeEntries(build, tree));
  const bytes = Buffer.from(sbom.document(kind));
  if (sbom.problems.length === 0) await keepFile(cache, key, bytes);
  return bytes;
}
