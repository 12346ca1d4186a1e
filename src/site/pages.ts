/** Every page that a site has, and the files of all it consists of. Pure. */
import { Failure } from "../base/failure.ts";
import type { CatalogueImage } from "./catalogue.ts";
import type { GraphImage } from "./graph.ts";
import { renderImagePage } from "./image-page.ts";
import { latestImages } from "./latest.ts";
import * as layout from "./layout.ts";
import { renderNamePage, renderSitePage, rootFile, type SiteContent, type SiteImage } from "./page.ts";
import { documentSuffixes } from "./stamp.ts";

/** Names whose pages clients of discovery ask for, by the file of the page. @throws Failure UNSUPPORTED when two would be one file */
export function namePages(
  site: layout.SiteAddress,
  images: readonly Pick<CatalogueImage, "name">[],
): ReadonlyMap<string, string> {
  const pages = new Map<string, string>();
  for (const name of new Set(images.flatMap((image) => layout.withParents(image.name)))) {
    const file = layout.pageFile(site, name);
    const other = pages.get(file);
    if (other !== undefined) {
      throw new Failure("UNSUPPORTED", `the pages of ${name} and ${other} would be one file, ${file}`, {
        subject: name,
        hint: "publish them in directories of their own",
      });
    }
    pages.set(file, name);
  }
  return pages;
}

/** File → HTML, one after the other: a site may have thousands. */
export function* renderPages(content: SiteContent): Generator<readonly [file: string, html: string]> {
  const graph = content.images.map(graphImage);
  for (const image of content.images) {
    yield [`${image.file}${layout.pageSuffix}`, renderImagePage(content, image, graph)];
  }
  const names = namePages(content.site, content.images);
  for (const [file, name] of names) yield [file, renderNamePage(content, name)];
  if (!names.has(rootFile)) yield [rootFile, renderSitePage(content)];
}

function graphImage({ file, name, version, facts }: SiteImage): GraphImage {
  return { file, name, version, id: facts?.id, manifest: facts?.manifest };
}

/** What lies beside an image and goes away with it. */
export const companionSuffixes: readonly string[] = [layout.signatureSuffix, ...documentSuffixes];

/** Every file that belongs to a site of these images; not all of them need to be there. */
export function filesOf(site: layout.SiteAddress, images: readonly CatalogueImage[]): ReadonlySet<string> {
  const own = images.flatMap(({ file }) =>
    ["", ...companionSuffixes, layout.factsSuffix, layout.pageSuffix].map((suffix) => `${file}${suffix}`),
  );
  const latest = [...latestImages(images).keys()].flatMap((file) =>
    ["", ...companionSuffixes].map((suffix) => `${file}${suffix}`),
  );
  const keys = images.flatMap(({ signers }) => signers ?? []).map(layout.keyFile);
  return new Set([...own, ...latest, ...keys, ...namePages(site, images).keys(), rootFile, layout.catalogueFile]);
}
