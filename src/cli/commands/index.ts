/** Every command: its name, one line for help, how to load it. Loading this file loads no command. */
import type { Command } from "../command.ts";

export const commandGroups = ["Images", "Trust", "Site", "Pods", "Other"] as const;

export interface CommandEntry {
  readonly group: (typeof commandGroups)[number];
  /** The same words as in the command's own declaration. */
  readonly summary: string;
  readonly load: () => Promise<{ readonly default: Command }>;
}

export const commands: ReadonlyMap<string, CommandEntry> = new Map<string, CommandEntry>([
  [
    "build",
    {
      group: "Images",
      summary: "Build an image from a recipe, or from a manifest and a root file system",
      load: () => import("./build.ts"),
    },
  ],
  ["fetch", { group: "Images", summary: "Fetch images, verify them and store them", load: () => import("./fetch.ts") }],
  ["image list", { group: "Images", summary: "List the images of the store", load: () => import("./image-list.ts") }],
  [
    "image cat-manifest",
    {
      group: "Images",
      summary: "Print the manifest of an image of the store",
      load: () => import("./image-cat-manifest.ts"),
    },
  ],
  [
    "image extract",
    {
      group: "Images",
      summary: "Unpack an image of the store into a directory",
      load: () => import("./image-extract.ts"),
    },
  ],
  ["image rm", { group: "Images", summary: "Remove images from the store", load: () => import("./image-rm.ts") }],
  [
    "image validate",
    {
      group: "Images",
      summary: "Check images and manifests against the specification",
      load: () => import("./image-validate.ts"),
    },
  ],
  [
    "image sbom",
    {
      group: "Images",
      summary: "List the packages inside of an image: its bill of materials",
      load: () => import("./image-sbom.ts"),
    },
  ],
  ["sign", { group: "Trust", summary: "Sign an image", load: () => import("./sign.ts") }],
  ["verify", { group: "Trust", summary: "Verify the signature of an image", load: () => import("./verify.ts") }],
  ["trust", { group: "Trust", summary: "Trust a signing key for image names", load: () => import("./trust.ts") }],
  ["key generate", { group: "Trust", summary: "Make a signing key", load: () => import("./key-generate.ts") }],
  ["key list", { group: "Trust", summary: "List your signing keys", load: () => import("./key-list.ts") }],
  ["key export", { group: "Trust", summary: "Print a signing key", load: () => import("./key-export.ts") }],
  [
    "key import",
    { group: "Trust", summary: "Take over a signing key from a file", load: () => import("./key-import.ts") },
  ],
  ["publish", { group: "Site", summary: "Write a discovery site for images", load: () => import("./publish.ts") }],
  ["serve", { group: "Site", summary: "Serve a site over HTTPS on this machine", load: () => import("./serve.ts") }],
  [
    "discover",
    {
      group: "Site",
      summary: "Show where discovery finds an image, its signature and its keys",
      load: () => import("./discover.ts"),
    },
  ],
  ["run", { group: "Pods", summary: "Run a pod of one or more images", load: () => import("./run.ts") }],
  ["plan", { group: "Pods", summary: "Show what run would do, and do nothing", load: () => import("./plan.ts") }],
  ["list", { group: "Pods", summary: "List pods and their apps", load: () => import("./list.ts") }],
  [
    "status",
    {
      group: "Pods",
      summary: "Show one pod: its state, its times, its apps' exit statuses",
      load: () => import("./status.ts"),
    },
  ],
  ["stop", { group: "Pods", summary: "Stop running pods", load: () => import("./stop.ts") }],
  ["rm", { group: "Pods", summary: "Remove pods that have ended", load: () => import("./rm.ts") }],
  [
    "gc",
    {
      group: "Pods",
      summary: "Remove pods that ended, what only they kept in the store, and old steps of recipes",
      load: () => import("./gc.ts"),
    },
  ],
  ["version", { group: "Other", summary: "Print versions", load: () => import("./version.ts") }],
]);

/** The command that a line begins with, by its longest name; `words` is how many words the name has. */
export function findCommand(
  line: readonly string[],
): { readonly name: string; readonly words: number; readonly entry: CommandEntry } | undefined {
  for (const words of [2, 1]) {
    const name = line.slice(0, words).join(" ");
    const entry = line.length >= words ? commands.get(name) : undefined;
    if (entry !== undefined) return { name, words, entry };
  }
  return undefined;
}

/** The names of the commands of a group word: `image` → `image list`, …; empty when it is none. */
export function commandsBelow(word: string): readonly string[] {
  return [...commands.keys()].filter((name) => name.split(" ").length > 1 && name.split(" ")[0] === word);
}
