/** What lies in a tree when entries of one image or of several were laid into it, and which of them gave what. Headers only. */
import { pathKey, type TarEntry } from "../tar/entry.ts";

export interface ListedFile {
  readonly type: TarEntry["type"];
  /** Bytes of content. */
  readonly size: number;
  /** The number of the layer that it came with. */
  readonly layer: number;
}

export interface ListedPath {
  /** Below the root, one character a byte. */
  readonly path: string;
  /** The names of one file share one object. */
  readonly file: ListedFile;
}

export interface Listing {
  lay(entry: Pick<TarEntry, "path" | "type" | "size" | "link">, layer: number): void;
  /** Every path but the root's, a directory before what is in it, names of a directory in byte order. */
  paths(): Iterable<ListedPath>;
}

interface Node {
  file: ListedFile;
  /** Of a directory. */
  below: Map<string, Node> | undefined;
}

export function emptyListing(): Listing {
  const root: Node = { file: { type: "directory", size: 0, layer: 0 }, below: new Map() };
  return {
    lay: ({ path, type, size, link }, layer) => {
      // As the unpacker leaves them out.
      if (type === "character" || type === "block") return;
      const parts = pathKey(path).split("/");
      const name = parts.pop() ?? "";
      if (name === ".") return;
      const below = directoryAt(root, parts, layer);
      const present = below.get(name);
      if (type === "hardlink") {
        const target = nodeAt(root, pathKey(link).split("/"));
        if (target !== undefined) below.set(name, { file: target.file, below: undefined });
      } else if (type === "directory" && present?.below !== undefined) {
        present.file = { type, size: 0, layer };
      } else {
        below.set(name, { file: { type, size, layer }, below: type === "directory" ? new Map() : undefined });
      }
    },
    paths: () => walk(root, ""),
  };
}

/** Made where it is not there, or where something else is. */
function directoryAt(root: Node, parts: readonly string[], layer: number): Map<string, Node> {
  let below = root.below ?? new Map<string, Node>();
  for (const part of parts) {
    let next = below.get(part);
    if (next?.below === undefined) {
      next = { file: { type: "directory", size: 0, layer }, below: new Map() };
      below.set(part, next);
    }
    below = next.below ?? below;
  }
  return below;
}

function nodeAt(root: Node, parts: readonly string[]): Node | undefined {
  return parts.reduce<Node | undefined>((node, part) => node?.below?.get(part), root);
}

function* walk(node: Node, prefix: string): Generator<ListedPath> {
  const names = [...(node.below?.keys() ?? [])].sort();
  for (const name of names) {
    const child = node.below?.get(name);
    if (child === undefined) continue;
    yield { path: prefix + name, file: child.file };
    if (child.below !== undefined) yield* walk(child, `${prefix}${name}/`);
  }
}
