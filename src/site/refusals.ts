/** What cannot be published as it is, said before anything is written. Pure. */
import { Failure, printable } from "../base/failure.ts";
import type { CatalogueImage } from "./catalogue.ts";
import { isForAnyMachine } from "./layout.ts";

/**
 * Labels other than version, os and arch do not tell images apart, because no template has them; and `a-1` in version `2` would be
 * the same file as `a` in version `1-2`. `known`: what is in the site and stays there.
 * @throws Failure USAGE, UNSUPPORTED
 */
export function refuseSameFile(
  images: readonly { readonly path: string; readonly entry: CatalogueImage }[],
  known: readonly CatalogueImage[],
): void {
  const paths = new Map<string, string>();
  const names = new Map(known.map(({ file, name }) => [file, name]));
  for (const { path, entry } of images) {
    const { file, name } = entry;
    const other = paths.get(file);
    if (other !== undefined) {
      throw new Failure("USAGE", `${other} and ${printable(path)} would be one file of the site, ${printable(file)}`, {
        subject: name,
        hint: "images are told apart by name, version, os and arch",
      });
    }
    if ((names.get(file) ?? name) !== name) {
      throw new Failure("UNSUPPORTED", `${printable(file)} is an image of ${names.get(file)} already`, {
        subject: name,
      });
    }
    paths.set(file, printable(path));
  }
}

/** Clients use the first template of a page that they can fill in (DISC-6), so one has to do for all images of a name. @throws Failure UNSUPPORTED */
export function refuseTwoTemplates(images: readonly CatalogueImage[]): void {
  const kinds = new Map<string, boolean>();
  for (const image of images) {
    const isForAny = isForAnyMachine(image);
    if ((kinds.get(image.name) ?? isForAny) !== isForAny) {
      throw new Failure("UNSUPPORTED", `${image.name} has images with and without the labels os and arch`, {
        subject: image.name,
        hint: "give all of them both labels, or publish the others under a name of their own",
      });
    }
    kinds.set(image.name, isForAny);
  }
}
