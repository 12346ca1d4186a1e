/** A data directory, a context directory and what building recipes in them says, without a process for each build. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type BuildRecipeOptions, buildFromRecipe, type RecipeResult } from "../../src/api/build-recipe.ts";
import type { Settings } from "../../src/api/settings.ts";
import { silentLog } from "../../src/base/log.ts";
import type { RecipeInput } from "../../src/recipe/document.ts";
import { type Layer, type StackView, viewOf } from "../../src/store/stack.ts";
import "./shim.ts";
import { testSettings } from "./settings.ts";
import { makeTemporary } from "./temporary.ts";

export class RecipeWorld {
  readonly directory: string;
  readonly settings: Settings;
  /** What was told on the way. */
  readonly heard: string[] = [];
  readonly remove: () => Promise<void>;

  private constructor(directory: string, remove: () => Promise<void>) {
    this.directory = directory;
    this.remove = remove;
    const none = join(directory, "none");
    this.settings = {
      ...testSettings(),
      directories: { data: join(directory, "data"), systemConfig: none, localConfig: none, userConfig: none },
      insecure: new Set(["image"]),
      log: { ...silentLog, info: (message) => this.heard.push(message), warn: (message) => this.heard.push(message) },
    };
    mkdirSync(this.path("context"));
  }

  static async open(): Promise<RecipeWorld> {
    const { path, remove } = await makeTemporary();
    return new RecipeWorld(path, remove);
  }

  get data(): string {
    return this.settings.directories.data;
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }

  /** Files of the context directory: path → content. */
  context(files: Readonly<Record<string, string>>): void {
    this.files("context", files);
  }

  files(directory: string, files: Readonly<Record<string, string>>): void {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(this.path(directory, path)), { recursive: true });
      writeFileSync(this.path(directory, path), content);
    }
  }

  /** Builds the document to `NAME.aci` of the world's directory, replacing it. */
  async build(
    recipe: Partial<RecipeInput>,
    options: Partial<BuildRecipeOptions> = {},
    settings: Partial<Settings> = {},
  ): Promise<RecipeResult> {
    const file = this.path("context", "recipe.json");
    writeFileSync(file, JSON.stringify({ name: "example.com/made", ...recipe }));
    return await buildFromRecipe(
      { ...this.settings, ...settings },
      { file, output: this.path("made.aci"), overwrite: true, ...options },
    );
  }

  /** A view on layers written as files: path → content. */
  view(...layers: readonly Readonly<Record<string, string>>[]): StackView {
    return viewOf(layers.map((files, index) => this.layer(`layer${index}`, files)));
  }

  layer(name: string, files: Readonly<Record<string, string>>): Layer {
    mkdirSync(this.path(name), { recursive: true });
    this.files(name, files);
    return { id: name, rootfs: this.path(name) };
  }

  /** Names in a directory of the cache. */
  cached(name: "steps" | "logs" | "locks" | "store/trees" | "store/staging" | "store/trash"): readonly string[] {
    const path = join(this.data, "build", name);
    return existsSync(path) ? readdirSync(path) : [];
  }

  /** Pods, claimed ids: what a command must not leave. */
  podRemains(): readonly string[] {
    const names = (directory: string) => (existsSync(directory) ? readdirSync(directory) : []);
    const pods = join(this.data, "pods");
    return [...names(pods).flatMap((phase) => names(join(pods, phase))), ...names(join(this.data, "id-ranges"))];
  }
}
