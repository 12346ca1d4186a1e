/** perigee build */
import { type BuildResult, buildImage } from "../../api/build.ts";
import type { RecipeResult } from "../../api/build-recipe.ts";
import { Failure, printable } from "../../base/failure.ts";
import { type SbomKind, sbomKinds } from "../../schema/sbom-link.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { compressionOf, compressionOptions } from "../compression.ts";
import { wroteFile } from "../summary.ts";

export default defineCommand({
  name: "build",
  arguments: "[directory-or-output] [output]",
  summary: "Build an image from a recipe, or from a manifest and a root file system",
  description:
    "With --file, carries out the steps of a recipe (docs/recipes.md): from a base image or from nothing, by copying files and running commands, each step kept in a cache; without OUTPUT the image is NAME-VERSION.aci here. " +
    "Else the directory holds the file manifest and the directory rootfs, which becomes / of the image; " +
    "with --manifest and --rootfs only the output is named. Modes, owners, links, devices, extended attributes and " +
    "capabilities of the files are kept. The same input gives the same bytes; with SOURCE_DATE_EPOCH set, later times are that one.",
  options: [
    ["-f, --file <recipe>", "carry out a recipe, YAML or JSON"],
    ["--script <file>", "carry out an acbuild script (docs/acbuild.md)"],
    ["--context <dir>", "where the recipe copies files from, instead of its own directory"],
    ["--no-cache", "do every step again"],
    ["--pull-policy <policy>", "for images the recipe begins with: new, never or update", "new"],
    ["--shell-at <step>", "build nothing: a shell in a pod with the state before this step of the recipe"],
    ["--manifest <file>", "the image manifest, instead of DIR/manifest"],
    ["--rootfs <dir>", "the root file system, instead of DIR/rootfs"],
    ["--overwrite", "replace the output if it is there"],
    ...compressionOptions,
    ["--owner-root", "all files belong to root in the image"],
    [
      "--sbom [kind]",
      "store the bill of materials beside the image, named by its manifest: spdx (if you say nothing else) or cyclonedx",
    ],
    ["--check", "build it once more, in another place and with another environment, and compare every byte"],
  ],
  examples: [
    "perigee build -f recipe.yaml web.aci",
    "perigee build -f recipe.yaml --shell-at 3",
    "perigee build --script web.acbuild",
    "perigee build web/ web.aci",
    "perigee build --manifest web.json --rootfs /srv/web web.aci",
    "perigee build --check --sbom web/ web.aci",
    "perigee build --compression zstd web/ web.aci",
    "SOURCE_DATE_EPOCH=0 perigee build --owner-root --overwrite web/ web.aci",
  ],
  run: async (context): Promise<BuildResult | RecipeResult | number> => {
    const built = await build(context);
    if (typeof built === "number") return built;
    context.settings.log.info(wroteFile(built));
    if (built.sbom !== undefined)
      context.settings.log.info(`wrote ${printable(built.sbom.path)}: its bill of materials`);
    return built;
  },
  text: (built) => (typeof built === "number" ? [] : [built.id]),
  json: (built) => (typeof built === "number" ? undefined : built),
  status: (built) => (typeof built === "number" ? built : 0),
  notes: [
    "1: an input breaks a rule, or a command of a recipe failed",
    "3: a file, an image or a program is not there",
    "5: with --check, two builds differ; no image is left then",
    "6: the output is there already",
    "with --shell-at: the shell's own, as with run",
  ],
});

/** A number: the exit status of a shell. */
async function build(context: CommandContext): Promise<BuildResult | RecipeResult | number> {
  const { args, options, settings, signal } = context;
  const [recipe, script] = [options.text("file"), options.text("script")];
  if (recipe !== undefined && script !== undefined)
    throw new Failure("USAGE", "build takes --file or --script, not both");
  if (recipe !== undefined) return await fromRecipe(context, recipe);
  if (script !== undefined) return await fromRecipe(context, script, "acbuild");
  refuseGiven(options, ["context", "shell-at"], "is for recipes: it needs --file or --script");
  const [directory, output] = argumentsOf(args, options.text("manifest") ?? options.text("rootfs"));
  return await buildImage(settings, {
    directory,
    manifest: options.text("manifest"),
    rootfs: options.text("rootfs"),
    output,
    overwrite: options.flag("overwrite"),
    compression: compressionOf(options),
    ownerRoot: options.flag("owner-root"),
    sbom: sbomOf(options),
    check: options.flag("check"),
    signal,
  });
}

async function fromRecipe(
  { args, options, settings, signal }: CommandContext,
  file: string,
  language?: "acbuild",
): Promise<RecipeResult | number> {
  const [output, ...others] = args;
  if (others.length > 0 || options.text("manifest") !== undefined || options.text("rootfs") !== undefined) {
    throw new Failure("USAGE", "with --file or --script only the image to write is named", {
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
    language,
    context: options.text("context"),
    pullPolicy: choice(options.text("pull-policy")),
    useCache: options.flag("cache"),
    signal,
  };
  const { buildFromRecipe, enterRecipe } = await import("../../api/build-recipe.ts");
  const step = options.text("shell-at");
  if (step !== undefined) {
    refuseGiven(options, ["check", "sbom", "overwrite"], "is not for --shell-at, which builds nothing");
    if (output === undefined) return await enterRecipe(settings, { ...request, step: number(step) });
    throw new Failure("USAGE", `--shell-at builds nothing: ${printable(output)} would not be written`, {
      subject: output,
      hint: `leave ${printable(output)} out`,
    });
  }
  return await buildFromRecipe(settings, {
    ...request,
    output,
    // A script may say it itself.
    overwrite: options.flag("overwrite") ? true : undefined,
    compression: compressionOf(options),
    sbom: sbomOf(options),
    check: options.flag("check"),
  });
}

/** What would be passed over in silence. @throws Failure USAGE */
function refuseGiven(options: CommandContext["options"], names: readonly string[], why: string): void {
  const given = names.find((name) => options.flag(name) || options.text(name) !== undefined);
  if (given !== undefined) throw new Failure("USAGE", `--${given} ${why}`, { subject: `--${given}` });
}

function choice(text = "new"): "new" | "never" | "update" {
  if (text === "new" || text === "never" || text === "update") return text;
  throw new Failure("USAGE", `--pull-policy ${text}: new, never or update`);
}

function number(text: string): number {
  if (/^[0-9]{1,4}$/.test(text)) return Number(text);
  throw new Failure("USAGE", `--shell-at ${text}: the number of a step`);
}

/** @throws Failure USAGE */
function sbomOf(options: CommandContext["options"]): SbomKind | undefined {
  if (!options.flag("sbom")) return undefined;
  const text = options.text("sbom") ?? "spdx";
  const kind = sbomKinds.find((candidate) => candidate === text);
  if (kind !== undefined) return kind;
  throw new Failure("USAGE", `there is no bill of materials of the kind ${printable(text)}`, {
    hint: `--sbom=${sbomKinds.join("|")}`,
  });
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
