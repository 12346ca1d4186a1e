/**
 * Which images make a tree, in which order, each under whose whitelists (ACE-4, ACE-6). Pure: the caller says what an image
 * depends on. An image may come twice; the graph of a stranger is bounded in depth and in length.
 */
import { createHash } from "node:crypto";
import { Failure } from "../base/failure.ts";
import type { ImageID } from "../schema/image-id.ts";

/** One image to lay down, and the images above it up to the root (itself first): all of their whitelists apply (ACE-7). */
export interface Layer {
  readonly id: ImageID;
  readonly context: readonly ImageID[];
}

export interface RenderLimits {
  readonly depth: number;
  readonly layers: number;
}

/** 64 levels; 4096 layers, because 64 levels of two equal dependencies each would be 2^64 (A10). */
export const defaultRenderLimits: RenderLimits = { depth: 64, layers: 4096 };

/**
 * Images in the order their files are laid down, lowest first: dependencies in listed order, depth first, then the image (ACE-6).
 * Dependencies are asked for one by one, so that those behind a limit are never looked up.
 * @throws Failure DEPENDENCY_CYCLE naming the loop, DEPENDENCY_DEPTH, LIMIT_EXCEEDED
 */
export function renderLayers(
  root: ImageID,
  dependenciesOf: (id: ImageID) => Iterable<ImageID>,
  limits: RenderLimits = defaultRenderLimits,
): readonly Layer[] {
  const layers: Layer[] = [];
  const visit = (id: ImageID, above: readonly ImageID[]): void => {
    const context = [id, ...above];
    if (above.includes(id)) throw cycle(id, above);
    if (above.length > limits.depth) {
      throw new Failure(
        "DEPENDENCY_DEPTH",
        `the dependencies of ${short(root)} go deeper than ${limits.depth} levels`,
        {
          subject: root,
        },
      );
    }
    for (const dependency of dependenciesOf(id)) visit(dependency, context);
    layers.push({ id, context });
    if (layers.length > limits.layers) {
      throw new Failure("LIMIT_EXCEEDED", `${short(root)} is made of more than ${limits.layers} layers`, {
        subject: root,
      });
    }
  };
  visit(root, []);
  return layers;
}

/** Images in the order their files are laid down, lowest first (ACE-6). @throws Failure DEPENDENCY_CYCLE, DEPENDENCY_DEPTH */
export function renderOrder(
  root: ImageID,
  dependenciesOf: (id: ImageID) => readonly ImageID[],
  maxDepth = defaultRenderLimits.depth,
): readonly ImageID[] {
  return renderLayers(root, dependenciesOf, { ...defaultRenderLimits, depth: maxDepth }).map((layer) => layer.id);
}

/** Id of the tree that layers in this order give: the image's own for a lone image, else a digest over all of them. */
export function treeIdFor(order: readonly ImageID[]): string {
  const [only] = order;
  if (only !== undefined && order.length === 1) return only;
  return `deps-sha512-${createHash("sha512").update(order.join(",")).digest("hex")}`;
}

function cycle(id: ImageID, above: readonly ImageID[]): Failure {
  const loop = above.slice(0, above.indexOf(id) + 1).reverse();
  return new Failure("DEPENDENCY_CYCLE", `images depend on each other: ${[...loop, id].map(short).join(" → ")}`, {
    subject: id,
  });
}

/** Not schema/image-id's: that file brings the schema library along. */
function short(id: string): string {
  return id.slice(0, 19);
}
