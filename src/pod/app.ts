/** The `app` of a stored image manifest: validated at import, but read again without its schema, so what a schema fills in is filled in here. */
import type { App } from "../schema/app.ts";

type Loose<T> = { readonly [K in keyof T]?: T[K] | null | undefined };

/** As JSON.parse gives it: a field that may be left out may be missing or null. */
export type StoredApp = Pick<App, "user" | "group"> &
  Omit<Loose<App>, "user" | "group" | "mountPoints" | "ports"> & {
    readonly mountPoints?:
      | readonly (Pick<App["mountPoints"][number], "name" | "path"> &
          Loose<Pick<App["mountPoints"][number], "readOnly">>)[]
      | null
      | undefined;
    readonly ports?:
      | readonly (Pick<App["ports"][number], "name" | "protocol" | "port"> &
          Loose<Pick<App["ports"][number], "count" | "socketActivated">>)[]
      | null
      | undefined;
    /** The other spelling of supplementaryGIDs (ACI-34). */
    readonly supplementaryGids?: readonly number[] | null | undefined;
  };

/** The same as the schema's result for a valid document; a test compares them. */
export function completeApp(stored: StoredApp): App {
  return {
    exec: [...(stored.exec ?? [])],
    user: stored.user,
    group: stored.group,
    supplementaryGIDs: [...(stored.supplementaryGIDs ?? stored.supplementaryGids ?? [])],
    eventHandlers: [...(stored.eventHandlers ?? [])],
    workingDirectory: stored.workingDirectory || undefined,
    environment: [...(stored.environment ?? [])],
    isolators: [...(stored.isolators ?? [])],
    mountPoints: (stored.mountPoints ?? []).map((point) => ({ ...point, readOnly: point.readOnly ?? false })),
    ports: (stored.ports ?? []).map((port) => ({
      ...port,
      count: Math.max(port.count ?? 1, 1),
      socketActivated: port.socketActivated ?? false,
    })),
    userAnnotations: stored.userAnnotations ?? undefined,
    userLabels: stored.userLabels ?? undefined,
  };
}
