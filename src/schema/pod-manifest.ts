/** The pod manifest (POD-1…18). */
import * as z from "zod";
import { Annotations } from "./annotations.ts";
import { App, Port } from "./app.ts";
import { ImageIDPrefix } from "./image-id.ts";
import { ACVersion } from "./image-manifest.ts";
import { Isolators } from "./isolators.ts";
import { Labels } from "./labels.ts";
import { nullableList, orEmpty, uniqueBy } from "./lists.ts";
import { ACIdentifier, ACName } from "./names.ts";
import { Mount, Volume } from "./volume.ts";

export const PodApp = z.object({
  name: ACName,
  image: z.object({ id: ImageIDPrefix, name: ACIdentifier.nullish(), labels: orEmpty(Labels) }),
  app: App.nullish().transform((app) => app ?? undefined),
  readOnlyRootFS: z.boolean().default(false),
  mounts: nullableList(Mount),
  annotations: orEmpty(Annotations),
});
export type PodApp = z.infer<typeof PodApp>;

/** POD-16, POD-17. */
export const ExposedPort = z.object({
  name: ACName,
  hostPort: z.int().min(1).max(65535),
  hostIP: z
    .union([z.ipv4(), z.ipv6()], { error: "POD-16: an IP address of the host" })
    .or(z.literal(""))
    .nullish()
    .transform((address) => (address === "" ? undefined : (address ?? undefined))),
  podPort: Port.nullish().transform((port) => port ?? undefined),
});
export type ExposedPort = z.infer<typeof ExposedPort>;

/** A port is found by name among the ports of all apps, so that without `podPort` two of one name leave open which (POD-16). */
function requireClearPorts(
  { apps, ports }: { readonly apps: readonly PodApp[]; readonly ports: readonly ExposedPort[] },
  context: { addIssue(issue: { code: "custom"; path: (string | number)[]; message: string }): void },
): void {
  const names = apps.flatMap(({ app }) => app?.ports.map(({ name }) => name) ?? []);
  ports.forEach(({ name, podPort }, index) => {
    if (podPort !== undefined || names.filter((other) => other === name).length < 2) return;
    const message = `POD-16: ${JSON.stringify(name)} is a port of two apps, and there is no podPort`;
    context.addIssue({ code: "custom", path: ["ports", index, "name"], message });
  });
}

export const PodManifest = z
  .object({
    acKind: z.literal("PodManifest", { error: "POD-4: acKind is PodManifest" }),
    acVersion: ACVersion,
    apps: orEmpty(
      z
        .array(PodApp)
        .superRefine((apps, context) => uniqueBy(apps, (app) => app.name, "POD-5: duplicate app", context)),
    ),
    volumes: orEmpty(
      z
        .array(Volume)
        .superRefine((volumes, context) => uniqueBy(volumes, (v) => v.name, "POD-11: duplicate volume", context)),
    ),
    isolators: orEmpty(Isolators),
    annotations: orEmpty(Annotations),
    ports: nullableList(ExposedPort),
    userAnnotations: z.record(z.string(), z.string()).nullish(),
    userLabels: z.record(z.string(), z.string()).nullish(),
  })
  .superRefine(requireClearPorts);
export type PodManifest = z.infer<typeof PodManifest>;
