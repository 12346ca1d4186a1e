/** The discovery tags of an HTML page (DISC-1…3). The page is a stranger's; knows no network and no templates. */

import type { DefaultTreeAdapterMap, TreeAdapter } from "parse5";
import { Failure } from "../base/failure.ts";
import { isObject } from "../base/objects.ts";
import { isACIdentifier } from "../schema/grammar.ts";
import type { Reading } from "./answers.ts";

export interface DiscoveryTag {
  /** Names it is for: this one and what is below it. */
  readonly prefix: string;
  /** A template for images, a URL for keys. */
  readonly url: string;
}

export interface DiscoveryTags {
  readonly images: readonly DiscoveryTag[];
  readonly keys: readonly DiscoveryTag[];
}

/** Bytes of a page that are looked at. */
export const pageLimit = 1024 * 1024;
/** Elements of a head. Some constructs make a parser copy elements or search their stack; this bounds that work (T-D07). */
const elementLimit = 2048;
/** Tags of one kind that are used, in the order of the page (T-D06). */
const tagLimit = 100;

type Element = DefaultTreeAdapterMap["element"];

/**
 * The valid tags of `html`, in order. Only meta elements that are children of the page's head count, as a browser would
 * place them: not what looks like one in a comment, a script, a template or the body (T-D05).
 * @throws Failure LIMIT_EXCEEDED
 */
export async function readDiscoveryTags(html: string): Promise<DiscoveryTags> {
  const metas = await metaElements(html);
  const named = (name: string) =>
    metas
      .filter((meta) => attribute(meta, "name") === name)
      .flatMap((meta) => parseTag(attribute(meta, "content") ?? ""))
      .slice(0, tagLimit);
  return { images: named("ac-discovery"), keys: named("ac-discovery-pubkeys") };
}

/** Raised whenever a page could give other tags than before. */
const rules = 1;

/** The tags of a page, as they are kept with it. */
export const discoveryTags: Reading<DiscoveryTags & { readonly rules: number }> = {
  read: async (bytes) => ({ rules, ...(await readDiscoveryTags(bytes.toString("utf8"))) }),
  // Whoever could have written another could have written another page: only its form needs a look.
  isStill: (said): said is DiscoveryTags & { readonly rules: number } =>
    isObject(said) && said["rules"] === rules && Array.isArray(said["images"]) && Array.isArray(said["keys"]),
};

/** DISC-2, DISC-3: `prefix url`, separated by white space; anything else is no tag. */
function parseTag(content: string): readonly DiscoveryTag[] {
  const [prefix, url, ...rest] = content.trim().split(/\s+/);
  if (prefix === undefined || url === undefined || rest.length > 0 || !isACIdentifier(prefix)) return [];
  return [{ prefix, url }];
}

function attribute(element: Element, name: string): string | undefined {
  return element.attrs.find((candidate) => candidate.name === name)?.value;
}

async function metaElements(html: string): Promise<readonly Element[]> {
  const { parse, defaultTreeAdapter } = await import("parse5");
  const endOfHead = new Error("the head has ended");
  const heads: Element[] = [];
  let elements = 0;
  const adapter: TreeAdapter<DefaultTreeAdapterMap> = {
    ...defaultTreeAdapter,
    createElement(tag, namespace, attributes) {
      if (tag === "body" || tag === "frameset") throw endOfHead;
      elements += 1;
      if (elements > elementLimit) {
        throw new Failure("LIMIT_EXCEEDED", `the page's head has more than ${elementLimit} elements`);
      }
      const element = defaultTreeAdapter.createElement(tag, namespace, attributes);
      // The first is the head: the parser makes one before anything that could hold another.
      if (tag === "head") heads.push(element);
      return element;
    },
    // Repeated <html> tags would make it compare ever longer lists.
    adoptAttributes: () => {},
  };
  try {
    parse(html, { treeAdapter: adapter });
  } catch (error) {
    if (error !== endOfHead) throw error;
  }
  const children = heads[0]?.childNodes ?? [];
  return children.filter((node) => defaultTreeAdapter.isElementNode(node)).filter((node) => node.tagName === "meta");
}
