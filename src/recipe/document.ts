/**
 * The recipe document: what `perigee build -f` reads, and what readers of other languages yield. One schema for YAML and JSON.
 * Knows nothing of files, stores or pods; spec/recipe.md has the rules.
 */
import * as z from "zod";
import { AbsolutePath, EventHandler, MountPoint, Port } from "../schema/app.ts";
import { ImageIDPrefix } from "../schema/image-id.ts";
import { Dependency } from "../schema/image-manifest.ts";
import { Isolator } from "../schema/isolators.ts";
import { schemaText } from "../schema/json-schema.ts";
import { ACIdentifier, ACName, EnvironmentName } from "../schema/names.ts";

const text = z.string().regex(/^[^\u0000]*$/, "no NUL byte");
const word = text.min(1, "not empty");

/** RECIPE-5. YAML reads 0755 as seven hundred fifty-five and JSON has no octal numbers: a mode is text. */
const Mode = z
  .string({ error: 'RECIPE-5: a mode is octal digits in quotes, such as "0755"' })
  .regex(/^0?[0-7]{1,4}$/, 'RECIPE-5: a mode is octal digits in quotes, such as "0755"');

/** RECIPE-6. Names are looked up in the image's own /etc/passwd and /etc/group. */
const Owner = word
  .regex(/^[^:\s]+(:[^:\s]+)?$/, "RECIPE-6: an owner is USER, USER:GROUP, numbers or names, or keep")
  .describe("USER or USER:GROUP, numbers or names of the image; keep: as in the context. Default 0:0");

/** A path of the context directory, or a glob of such. Where it leads is judged when it is read (RECIPE-11). */
const ContextPath = word
  .max(4095)
  .refine((path) => !/^\//.test(path) && !path.split("/").includes(".."), "RECIPE-11: a path inside of the context");

/** Values by name; `null` takes the entry of that name away. */
const changes = <K extends z.core.$ZodRecordKey>(key: K, value: z.ZodType<string>) => z.record(key, value.nullable());

/** Takes the entry of that name away. Stands last in its union: what looks like neither is told as the other. */
const removal = <N extends z.ZodType>(name: N) => z.strictObject({ name, remove: z.literal(true) });

/** RECIPE-1: these are read more strictly than in a manifest, where fields of later versions must pass. */
const [StrictPort, StrictMountPoint, StrictEventHandler, StrictIsolator, StrictDependency] = [
  Port.strict(),
  MountPoint.strict(),
  EventHandler.strict(),
  Isolator.strict(),
  Dependency.strict(),
];

const Arguments = z.array(text).min(1, "a command has at least its program");

export const CopyStep = z.strictObject({
  copy: z.strictObject({
    from: z
      .union([ContextPath, z.array(ContextPath).min(1)])
      .describe("paths or globs inside of the context directory"),
    to: AbsolutePath.describe("the target itself; with a slash at its end a directory that receives what is copied"),
    owner: Owner.optional(),
    mode: Mode.optional().describe("of files; directories get x where r is"),
  }),
});

export const RunStep = z.strictObject({
  run: z.union([word, Arguments]).describe("a line for /bin/sh -ec, or a program with its arguments"),
  network: z.enum(["none", "host"]).optional(),
  environment: z.record(EnvironmentName, text).optional().describe("for this command only"),
  user: word.optional().describe("default 0, whatever the image's own user is"),
  group: word.optional(),
  workingDirectory: AbsolutePath.optional(),
  insecure: z
    .array(z.enum(["seccomp", "capabilities", "paths"]))
    .optional()
    .describe("parts of the confinement to leave away"),
});

export const WriteStep = z.strictObject({
  write: z.strictObject({ to: AbsolutePath, content: z.string(), owner: Owner.optional(), mode: Mode.optional() }),
});
export const MkdirStep = z.strictObject({
  mkdir: z.strictObject({ path: AbsolutePath, owner: Owner.optional(), mode: Mode.optional() }),
});
export const SymlinkStep = z.strictObject({
  symlink: z.strictObject({ path: AbsolutePath, target: word.max(4095), owner: Owner.optional() }),
});
export const RemoveStep = z.strictObject({ remove: z.union([AbsolutePath, z.array(AbsolutePath).min(1)]) });

const supplementaryGIDs = z.array(z.int().min(0).max(4294967294));

/** What each step is called → what it says. A step has exactly one of these keys. */
export const stepSchemas = {
  copy: CopyStep,
  run: RunStep,
  write: WriteStep,
  mkdir: MkdirStep,
  symlink: SymlinkStep,
  remove: RemoveStep,
  environment: z.strictObject({ environment: changes(EnvironmentName, text) }),
  label: z.strictObject({ label: changes(ACIdentifier, z.string()) }),
  annotation: z.strictObject({ annotation: changes(ACIdentifier, z.string()) }),
  port: z.strictObject({ port: z.union([StrictPort, removal(ACName)]) }),
  mountPoint: z.strictObject({ mountPoint: z.union([StrictMountPoint, removal(ACName)]) }),
  isolator: z.strictObject({ isolator: z.union([StrictIsolator, removal(ACIdentifier)]) }),
  dependency: z.strictObject({
    dependency: z.union([StrictDependency, z.strictObject({ imageName: ACIdentifier, remove: z.literal(true) })]),
  }),
  eventHandler: z.strictObject({ eventHandler: z.union([StrictEventHandler, removal(EventHandler.shape.name)]) }),
  name: z.strictObject({ name: ACIdentifier }),
  exec: z.strictObject({ exec: z.array(text) }),
  user: z.strictObject({ user: word }),
  group: z.strictObject({ group: word }),
  supplementaryGIDs: z.strictObject({ supplementaryGIDs }),
  workingDirectory: z.strictObject({ workingDirectory: AbsolutePath }),
  pathWhitelist: z.strictObject({ pathWhitelist: z.array(AbsolutePath) }),
  replaceManifest: z.strictObject({ replaceManifest: ContextPath }),
} as const;

export type StepName = keyof typeof stepSchemas;
export const stepNames = Object.keys(stepSchemas) as readonly StepName[];
export type StepOf<N extends StepName> = z.output<(typeof stepSchemas)[N]>;
export type Step = { [N in StepName]: StepOf<N> }[StepName];

const Step: z.ZodType<Step> = z.union(
  Object.values(stepSchemas) as unknown as readonly [z.ZodType<Step>, ...z.ZodType<Step>[]],
);

/**
 * RECIPE-4: `empty`, a reference as `fetch` takes it (NAME[:VERSION], an ID, a URL, ./FILE.aci), or one of these objects. An image is flattened
 * into the result; a dependency stays one, and the result holds the difference alone; a directory becomes `/`.
 */
export const Base = z.union(
  [
    word,
    z.strictObject({ image: word }),
    z.strictObject({ file: word.describe("an archive, relative to the context directory") }),
    z.strictObject({ directory: word.describe("a root file system, relative to the context directory") }),
    z.strictObject({
      dependency: ACIdentifier,
      labels: z.record(ACIdentifier, z.string()).optional(),
      imageID: ImageIDPrefix.optional(),
    }),
  ],
  { error: "RECIPE-4: a base is a reference, or an object with one of image, file, directory, dependency" },
);
export type Base = z.output<typeof Base>;

export const Recipe = z.strictObject({
  $schema: z.string().optional(),
  name: ACIdentifier,
  labels: z.record(ACIdentifier, z.string()).default({}),
  base: Base.default("empty"),
  steps: z.array(Step).max(1000, "RECIPE-2: at most 1000 steps").default([]),
  exec: z.array(text).optional(),
  user: word.optional(),
  group: word.optional(),
  supplementaryGIDs: supplementaryGIDs.optional(),
  environment: z.record(EnvironmentName, text).default({}),
  workingDirectory: AbsolutePath.optional(),
  mountPoints: z.array(StrictMountPoint).default([]),
  ports: z.array(StrictPort).default([]),
  isolators: z.array(StrictIsolator).default([]),
  eventHandlers: z.array(StrictEventHandler).default([]),
  annotations: z.record(ACIdentifier, z.string()).default({}),
  dependencies: z.array(StrictDependency).default([]),
  pathWhitelist: z.array(AbsolutePath).optional(),
});
/** A recipe as it is carried out. */
export type Recipe = z.output<typeof Recipe>;
/** A recipe as it is written: give it to `Recipe.parse`, or to parseRecipeValue, which says where an issue stands. */
export type RecipeInput = z.input<typeof Recipe>;

/** File name in spec/schema → content. */
export function recipeSchemas(): ReadonlyMap<string, string> {
  return new Map([["recipe.schema.json", schemaText(Recipe, "perigee build recipe")]]);
}
