/** perigee build */
import { type BuiltImage, buildImage } from "../../api/build.ts";
import type { BuiltRecipe } from "../../api/build-recipe.ts";
import { Failure } from "../../base/failure.ts";
import { type CommandContext, defineCommand } from "../command.ts";

export default defineCommand({
  name: "build",
  arguments: "[directory-or-output] [output]",
  summary: "Build an image from a recipe, or from a manifest and a root file system",
  description:
    "With --file, carries out the steps of a recipe (docs/recipes.md): from a base image or from nothing, by copying files and running commands, each step kept in a cache. " +
    "Else the directory holds the file manifest and the directory rootfs, which becomes / of the image; " +
    "with --manifest and --rootfs only the output is named. Modes, owners, links, devices, extended attributes and " +
    "capabilities of the files are kept. The same input gives the same bytes; with SOURCE_DATE_EPOCH set, later times are that one.",
  options: [
    ["-f, --file <recipe>", "carry out a recipe, YAML or JSON"],
    ["--context <dir>", "where the recipe copies files from, instead of its own directory"],
    ["--no-cache", "do every step again"],
    ["--pull-policy <policy>", "for images the recipe begins with: new, never or update", "new"],
    ["--shell-at <step>", "build nothing: a shell in a pod with the state before this step of the recipe"],
    ["--manifest <file>", "the image manifest, instead of DIR/manifest"],
    ["--rootfs <dir>", "the root file system, instead of DIR/rootfs"],
    ["--overwrite", "replace the output if it is there"],
    ["--no-compression", "write a plain tar instead of gzip; the image ID is the same"],
    ["--owner-root", "all files belong to root in the image"],
  ],
  examples: [
    "perigee build -f recipe.yaml web.aci",
    "perigee build -f recipe.yaml --shell-at 3",
    "perigee build web/ web.aci",
    "perigee build --manifest web.json --rootfs /srv/web web.aci",
    "SOURCE_DATE_EPOCH=0 perigee build --owner-root --overwrite web/ web.aci",
  ],
  run: async (context): Promise<BuiltImage | BuiltRecipe> => {
    const { args, options, settings, signal } = context;
    const recipe = options.text("file");
    if (recipe !== undefined) return await fromRecipe(context, recipe);
    const [directory, output] = argumentsOf(args, options.text("manifest") ?? options.text("rootfs"));
    return await buildImage(settings, {
      directory,
      manifest: options.text("manifest"),
      rootfs: options.text("rootfs"),
      output,
      overwrite: options.flag("overwrite"),
      compression: options.flag("compression") ? "gzip" : "none",
      ownerRoot: options.flag("owner-root"),
      signal,
    });
  },
  text: ({ id }) => [id],
});

async function fromRecipe(
  { args, options, settings, signal, format }: CommandContext,
  file: string,
): Promise<BuiltRecipe> {
  const [output, ...others] = args;
  if (others.length > 0 || options.text("manifest") !== undefined || options.text("rootfs") !== undefined) {
    throw new Failure("USAGE", "with --file only the image to write is named", {
      hint: "perigee build -f RECIPE OUT.aci",
    });
  }
  if (options.flag("owner-root")) {
    throw new Failure(
      "USAGE",
      "--owner-root is not for recipes: what a step copies belongs to root unless it says otherwise",
    );
  }
  const request = {
    file,
    context: options.text("context"),
    pullPolicy: choice(options.text("pull-policy")),
    useCache: options.flag("cache"),
    signal,
  };
  const { buildFromRecipe, enterRecipe } = await import("../../api/build-recipe.ts");
  const step = options.text("shell-at");
  if (step !== undefined)
    return await enterRecipe(settings, { ...request, step: number(step), report: format === "json" ? "json" : "text" });
  return await buildFromRecipe(settings, {
    ...request,
    output,
    overwrite: options.flag("overwrite"),
    compression: options.flag("compression") ? "gzip" : "none",
  });
}

function choice(text = "new"): "new" | "never" | "update" {
  if (text === "new" || text === "never" || text === "update") return text;
  throw new Failure("USAGE", `--pull-policy ${text}: new, never or update`);
}

function number(text: string): number {
  if (/^[0-9]{1,4}$/.test(text)) return Number(text);
  throw new Failure("USAGE", `--shell-at ${text}: the number of a step`);
}

/** `DIR OUT.aci`, or `OUT.aci` alone when the parts are options. */
function argumentsOf(args: readonly string[], part: string | undefined): readonly [string | undefined, string] {
  const [first, second] = args;
  if (first !== undefined && second !== undefined) return [first, second];
  if (first !== undefined && part !== undefined) return [undefined, first];
  throw new Failure("USAGE", "build needs a directory and the name of the image to write", {
    hint: "perigee build DIR OUT.aci",
  });
}
