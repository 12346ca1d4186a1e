/** The one line on standard error that a command which writes files ends with; standard output keeps the result for scripts (CLI-4). */
import { printable } from "../base/failure.ts";
import { humanSize } from "./tables.ts";

/** `wrote web.aci: 2.1 MiB` */
export function wroteFile({ path, size }: { readonly path: string; readonly size: number }): string {
  return `wrote ${printable(path)}: ${humanSize(size)}`;
}

/** `wrote /srv/web: example.com/web, 12 entries, 2.1 MiB` */
export function wroteTree(tree: {
  readonly directory: string;
  readonly name: string;
  readonly entries?: number;
  readonly fileBytes?: number;
  readonly images?: number;
}): string {
  const { directory, name, entries, fileBytes, images } = tree;
  const facts = [
    printable(name),
    ...(entries === undefined ? [] : [`${entries} entries`]),
    ...(fileBytes === undefined ? [] : [humanSize(fileBytes)]),
    ...(images === undefined ? [] : [images === 1 ? "one image" : `${images} images`]),
  ];
  return `wrote ${printable(directory)}: ${facts.join(", ")}`;
}
