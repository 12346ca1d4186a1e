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
  [
    "image render",
    {
      group: "Images",
      summary: "Unpack an image with all it depends on into a directory",
      load: () => import("./image-render.ts"),
    },
  ],
  [
    "image export",
    {
      group: "Images",
      summary: "Write an image of the store to a file, also for other tools",
      load: () => import("./image-export.ts"),
    },
  ],
  [
    "push",
    {
      group: "Images",
      summary: "Push an image to a registry, as an OCI image",
      load: () => import("./push.ts"),
    },
  ],
  [
    "image tree",
    {
      group: "Images",
      summary: "Show what an image depends on, and where its files come from",
      load: () => import("./image-tree.ts"),
    },
  ],
  [
    "image size",
    {
      group: "Images",
      summary: "Show the largest files and directories of an image, and what a whitelist saves",
      load: () => import("./image-size.ts"),
    },
  ],
  [
    "image diff",
    { group: "Images", summary: "Compare two images: manifests, files, sizes", load: () => import("./image-diff.ts") },
  ],
  [
    "image verify",
    {
      group: "Images",
      summary: "Check that stored images are still what was stored, and mend their trees",
      load: () => import("./image-verify.ts"),
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
  [
    "image patch-manifest",
    {
      group: "Images",
      summary: "Copy an image with a changed manifest",
      load: () => import("./image-patch-manifest.ts"),
    },
  ],
  ["sign", { group: "Trust", summary: "Sign an image", load: () => import("./sign.ts") }],
  ["verify", { group: "Trust", summary: "Verify the signature of an image", load: () => import("./verify.ts") }],
  ["trust", { group: "Trust", summary: "Trust a signing key for image names", load: () => import("./trust.ts") }],
  ["trust list", { group: "Trust", summary: "List trusted keys and masks", load: () => import("./trust-list.ts") }],
  [
    "trust check",
    {
      group: "Trust",
      summary: "Show which keys count for an image name, and why others do not",
      load: () => import("./trust-check.ts"),
    },
  ],
  ["trust rm", { group: "Trust", summary: "Stop trusting a key", load: () => import("./trust-rm.ts") }],
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
  [
    "prepare",
    {
      group: "Pods",
      summary: "Prepare a pod of one or more images, to be run later",
      load: () => import("./prepare.ts"),
    },
  ],
  ["run-prepared", { group: "Pods", summary: "Run a pod that was prepared", load: () => import("./run-prepared.ts") }],
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
  ["top", { group: "Pods", summary: "Show what running pods and their apps use", load: () => import("./top.ts") }],
  [
    "events",
    {
      group: "Pods",
      summary: "Show what happened to the pods that are there, and what happens",
      load: () => import("./events.ts"),
    },
  ],
  ["enter", { group: "Pods", summary: "Run a command in an app of a running pod", load: () => import("./enter.ts") }],
  [
    "attach",
    {
      group: "Pods",
      summary: "See what an app of a pod in the background prints, and type to it",
      load: () => import("./attach.ts"),
    },
  ],
  ["logs", { group: "Pods", summary: "Show what the apps of a pod printed", load: () => import("./logs.ts") }],
  ["cat-manifest", { group: "Pods", summary: "Print the manifest of a pod", load: () => import("./cat-manifest.ts") }],
  [
    "export",
    {
      group: "Pods",
      summary: "Write the files of an app that has ended as an image",
      load: () => import("./export.ts"),
    },
  ],
  ["stop", { group: "Pods", summary: "Stop running pods", load: () => import("./stop.ts") }],
  ["rm", { group: "Pods", summary: "Remove pods that have ended", load: () => import("./rm.ts") }],
  [
    "metadata-service",
    {
      group: "Pods",
      summary: "Tell pods who they are: answer their AC_METADATA_URL",
      load: () => import("./metadata-service.ts"),
    },
  ],
  [
    "net explain",
    {
      group: "Pods",
      summary: "Show a pod's networks: addresses, routes, ports, and the rules of the host about it",
      load: () => import("./net-explain.ts"),
    },
  ],
  [
    "gc",
    {
      group: "Pods",
      summary: "Remove pods that ended, what only they kept in the store, and old steps of recipes",
      load: () => import("./gc.ts"),
    },
  ],
  [
    "config",
    {
      group: "Other",
      summary: "Show what the configuration files say together, and which file says it",
      load: () => import("./config.ts"),
    },
  ],
  [
    "store check",
    {
      group: "Other",
      summary: "Check that the store is whole, and mend what is not",
      load: () => import("./store-check.ts"),
    },
  ],
  ["version", { group: "Other", summary: "Print versions", load: () => import("./version.ts") }],
]);

/** Names that lead to a command besides its own, so that `actool` may be replaced by `perigee image` in scripts, and rktlet's line works. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ["image build", "build"],
  ["image discover", "discover"],
  ["image version", "version"],
  ["image fetch", "fetch"],
]);

/** The command that a line begins with, by its longest name; `words` is how many words the name has. */
export function findCommand(
  line: readonly string[],
): { readonly name: string; readonly words: number; readonly entry: CommandEntry } | undefined {
  for (const words of [2, 1]) {
    const typed = line.slice(0, words).join(" ");
    const name = otherNames.get(typed) ?? typed;
    const entry = line.length >= words ? commands.get(name) : undefined;
    if (entry !== undefined) return { name, words, entry };
  }
  return undefined;
}

/** The names of the commands of a group word: `image` → `image list`, …; empty when it is none. */
export function commandsBelow(word: string): readonly string[] {
  return [...commands.keys()].filter((name) => name.split(" ").length > 1 && name.split(" ")[0] === word);
}
