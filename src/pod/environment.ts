/** The environment of an app: layers at preparation, the executor's own variables at the start (ACE-19). Pure. */
import { excerpt, Failure } from "../base/failure.ts";
import { environmentName } from "../schema/grammar.ts";
import { managerVariables } from "./notify.ts";
import type { ResolvedUser } from "./users.ts";

export type Variable = readonly [name: string, value: string];

/** The value the specification demands when nobody sets another (ACE-19). */
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What the caller says to us and to nobody else: the passphrase of a signing key is no app's business (TRUST-33). */
const secretVariables: ReadonlySet<string> = new Set(["PERIGEE_PASSPHRASE"]);

/**
 * Weakest first (architecture 16): inherited < image < file < set < app. Of the inherited ones only those whose name appc allows (ACI-39), and
 * nothing that a service manager or the caller says to us and to nobody else.
 *
 * The place of a variable is that of its first appearance in the image's order.
 */
export function mergeEnvironment(layers: {
  readonly inherited?: ReadonlyMap<string, string> | undefined;
  readonly image: readonly Variable[];
  readonly file?: readonly Variable[] | undefined;
  readonly set?: readonly Variable[] | undefined;
  readonly app?: readonly Variable[] | undefined;
}): readonly Variable[] {
  const merged = new Map<string, string>(layers.image);
  for (const layer of [layers.file, layers.set, layers.app]) {
    for (const [name, value] of layer ?? []) merged.set(name, value);
  }
  for (const [name, value] of layers.inherited ?? []) {
    if (managerVariables.has(name) || secretVariables.has(name)) continue;
    if (!merged.has(name) && environmentName.test(name)) merged.set(name, value);
  }
  return [...merged];
}

/**
 * The whole environment the app is started with. AC_APP_NAME, `container`, AC_METADATA_URL and, of an app that says when it is ready,
 * NOTIFY_SOCKET are always ours; PATH, HOME, SHELL, USER and LOGNAME only when
 * the app does not set them; `term` for an app with a terminal. Nothing of this process's own environment (T-R07).
 */
export function appEnvironment(
  variables: readonly { readonly name: string; readonly value: string }[],
  app: {
    readonly name: string;
    readonly user: ResolvedUser;
    readonly term?: string | undefined;
    readonly metadataUrl?: string | undefined;
    readonly notify?: string | undefined;
    readonly isActivated?: boolean | undefined;
  },
): readonly Variable[] {
  const { user, term, notify } = app;
  const home = user.home ?? (user.uid === 0 ? "/root" : "/");
  const name = user.name ?? (user.uid === 0 ? "root" : undefined);
  const merged = new Map<string, string>([
    ["PATH", defaultPath],
    ["HOME", home],
    ["SHELL", user.shell ?? "/bin/sh"],
    ...(name === undefined
      ? []
      : ([
          ["USER", name],
          ["LOGNAME", name],
        ] as const)),
    ...(term === undefined ? [] : ([["TERM", term]] as const)),
  ]);
  for (const { name, value } of variables) {
    // What the shim says of the sockets that the app is handed is not said twice.
    if (app.isActivated !== true || !managerVariables.has(name)) merged.set(name, value);
  }
  merged.set("AC_APP_NAME", app.name);
  if (app.metadataUrl !== undefined) merged.set("AC_METADATA_URL", app.metadataUrl);
  merged.set("container", "perigee");
  if (notify !== undefined) merged.set("NOTIFY_SOCKET", notify);
  return [...merged];
}

/** `K=V`. @throws Failure USAGE */
export function parseVariable(text: string): Variable {
  const at = text.indexOf("=");
  const name = text.slice(0, Math.max(at, 0));
  if (at < 0 || !environmentName.test(name) || text.includes("\0")) {
    throw new Failure("USAGE", `${excerpt(at < 0 ? text : name)}: not of the form NAME=VALUE`, {
      hint: "a name has letters, digits, _ . - and does not begin with a digit",
    });
  }
  return [name, text.slice(at + 1)];
}

/** `--set-env-file`: `K=V` lines; blank lines and lines that begin with # or ; are passed over. @throws Failure USAGE with the line number */
export function parseEnvironmentFile(text: string, path: string): readonly Variable[] {
  const variables = new Map<string, string>();
  text.split("\n").forEach((line, index) => {
    const content = line.endsWith("\r") ? line.slice(0, -1) : line;
    if (content.trim() === "" || /^[#;]/.test(content)) return;
    const at = `${path}:${index + 1}`;
    const [name, value] = within(at, () => parseVariable(content));
    if (variables.has(name)) throw new Failure("USAGE", `${at}: ${name} is set twice`, { subject: path });
    variables.set(name, value);
  });
  return [...variables];
}

function within<T>(place: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof Failure) throw new Failure(error.code, `${place}: ${error.message}`, { hint: error.hint });
    throw error;
  }
}
