/** The image manifest while it is made: each step changes it, the recipe's own fields last (RECIPE-20). Pure; nothing here touches files. */
import type { App } from "../schema/app.ts";
import { acVersion } from "../schema/grammar.ts";
import { type Dependency, ImageManifest } from "../schema/image-manifest.ts";
import { parseDocument } from "../schema/validate.ts";
import type { Recipe, Step } from "./document.ts";

type Pair = { readonly name: string; readonly value: string };

/** As an image manifest, but complete and with what a schema makes of it. */
export interface Draft {
  readonly name: string;
  readonly labels: readonly Pair[];
  readonly annotations: readonly Pair[];
  readonly dependencies: readonly Dependency[];
  readonly pathWhitelist: readonly string[];
  readonly app: App;
  /** Whether anything was said about an app; else the image has none. */
  readonly hasApp: boolean;
}

const emptyApp: App = {
  exec: [],
  user: "0",
  group: "0",
  supplementaryGIDs: [],
  eventHandlers: [],
  workingDirectory: undefined,
  environment: [],
  isolators: [],
  mountPoints: [],
  ports: [],
  userAnnotations: undefined,
  userLabels: undefined,
};

/**
 * Where a recipe begins. Of an image that is flattened into the result the app stays, and the labels os and arch; its version, its annotations, its
 * dependencies and its whitelist are those of another image (RECIPE-21).
 */
export function beginDraft(name: string, base: ImageManifest | undefined): Draft {
  return {
    name,
    labels: (base?.labels ?? []).filter((label) => label.name === "os" || label.name === "arch"),
    annotations: [],
    dependencies: [],
    pathWhitelist: [],
    app: base?.app ?? emptyApp,
    hasApp: base?.app !== undefined,
  };
}

/** The draft of a manifest that replaces everything so far. */
export function draftOf(manifest: ImageManifest): Draft {
  const { name, labels, annotations, dependencies, pathWhitelist, app } = manifest;
  return { name, labels, annotations, dependencies, pathWhitelist, app: app ?? emptyApp, hasApp: app !== undefined };
}

/** Pairs after a map of changes: `null` takes away, a known name keeps its place. */
function changed<T extends Pair>(
  pairs: readonly T[],
  changes: Readonly<Record<string, string | null>>,
): readonly Pair[] {
  const merged = new Map<string, string>(pairs.map(({ name, value }) => [name, value]));
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) merged.delete(name);
    else merged.set(name, value);
  }
  return [...merged].map(([name, value]) => ({ name, value }));
}

/** The list with `entry` in the place of the one of its name, or at the end; without it for a removal. */
function replaced<T, E extends T | { readonly remove: true }>(
  list: readonly T[],
  entry: E,
  key: (item: T | E) => unknown,
): T[] {
  const name = key(entry);
  if (typeof entry === "object" && entry !== null && "remove" in entry)
    return list.filter((item) => key(item) !== name);
  const item = entry as T;
  return list.some((other) => key(other) === name)
    ? list.map((other) => (key(other) === name ? item : other))
    : [...list, item];
}

const nameOf = (item: { readonly name: unknown }): unknown => item.name;

/** What a step that touches no file makes of the draft; the draft itself for one that does. `replaceManifest` is done by the caller. */
export function applyStep(draft: Draft, step: Step): Draft {
  if ("name" in step) return { ...draft, name: step.name };
  if ("label" in step) return { ...draft, labels: changed(draft.labels, step.label) };
  if ("annotation" in step) return { ...draft, annotations: changed(draft.annotations, step.annotation) };
  if ("pathWhitelist" in step) return { ...draft, pathWhitelist: step.pathWhitelist };
  if ("dependency" in step) {
    const dependencies = replaced(draft.dependencies, step.dependency, (item) => item.imageName);
    return { ...draft, dependencies };
  }
  const app = changedApp(draft.app, step);
  return app === undefined ? draft : { ...draft, app, hasApp: true };
}

function changedApp(app: App, step: Step): App | undefined {
  // A command's environment is its own (RECIPE-31).
  if ("run" in step) return undefined;
  if ("environment" in step) return { ...app, environment: [...changed(app.environment, step.environment)] };
  if ("port" in step) return { ...app, ports: replaced(app.ports, step.port, nameOf) };
  if ("mountPoint" in step) return { ...app, mountPoints: replaced(app.mountPoints, step.mountPoint, nameOf) };
  if ("isolator" in step) return { ...app, isolators: replaced(app.isolators, step.isolator, nameOf) };
  if ("eventHandler" in step) return { ...app, eventHandlers: replaced(app.eventHandlers, step.eventHandler, nameOf) };
  if ("exec" in step) return { ...app, exec: step.exec };
  if ("user" in step) return { ...app, user: step.user };
  if ("group" in step) return { ...app, group: step.group };
  if ("supplementaryGIDs" in step) return { ...app, supplementaryGIDs: step.supplementaryGIDs };
  if ("workingDirectory" in step) return { ...app, workingDirectory: step.workingDirectory };
  return undefined;
}

/** The recipe's own fields as steps after the last. */
export function fieldsAsSteps(recipe: Recipe): readonly Step[] {
  const one = <K extends "exec" | "user" | "group" | "supplementaryGIDs" | "workingDirectory" | "pathWhitelist">(
    key: K,
  ) => (recipe[key] === undefined ? [] : [{ [key]: recipe[key] } as unknown as Step]);
  const map = (key: "environment" | "label" | "annotation", values: Readonly<Record<string, string>>) =>
    Object.keys(values).length === 0 ? [] : [{ [key]: values } as unknown as Step];
  return [
    ...map("label", recipe.labels),
    ...map("annotation", recipe.annotations),
    ...map("environment", recipe.environment),
    ...recipe.mountPoints.map((mountPoint) => ({ mountPoint })),
    ...recipe.ports.map((port) => ({ port })),
    ...recipe.isolators.map((isolator) => ({ isolator })),
    ...recipe.eventHandlers.map((eventHandler) => ({ eventHandler })),
    ...recipe.dependencies.map((dependency) => ({ dependency })),
    ...one("exec"),
    ...one("user"),
    ...one("group"),
    ...one("supplementaryGIDs"),
    ...one("workingDirectory"),
    ...one("pathWhitelist"),
  ];
}

/** The manifest's bytes: fields in a fixed order, none that says nothing. @throws Failure MANIFEST_INVALID for what no step alone could see */
export function finishManifest(draft: Draft, subject: string): Buffer {
  const { name, labels, annotations, dependencies, pathWhitelist, app, hasApp } = draft;
  const manifest = {
    acKind: "ImageManifest",
    acVersion,
    name,
    labels,
    app: hasApp ? withoutEmpty(app) : undefined,
    annotations,
    dependencies: dependencies.map(withoutEmpty),
    pathWhitelist,
  };
  const bytes = Buffer.from(`${JSON.stringify(withoutEmpty(manifest), null, 2)}\n`);
  parseDocument(ImageManifest, bytes, `the manifest that ${subject} makes`);
  return bytes;
}

/** `exec` stays: an app says what it runs, even if that is nothing yet. */
function withoutEmpty(object: object): object {
  return Object.fromEntries(
    Object.entries(object).filter(
      ([key, value]) =>
        value !== undefined && value !== null && (key === "exec" || !Array.isArray(value) || value.length > 0),
    ),
  );
}
