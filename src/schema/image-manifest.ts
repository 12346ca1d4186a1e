/** The image manifest (ACI-20…52). */
import * as z from "zod";
import { Annotations } from "./annotations.ts";
import { AbsolutePath, App } from "./app.ts";
import { acVersion } from "./grammar.ts";
import { ImageIDPrefix } from "./image-id.ts";
import { Labels } from "./labels.ts";
import { nullableList, orEmpty } from "./lists.ts";
import { ACIdentifier } from "./names.ts";

export { acVersion };

/** SemVer 2.0.0, not 0.0.0 (ACI-22, TYPE-5). */
export const ACVersion = z
  .string()
  .regex(
    /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/,
    "ACI-22: a semantic version such as 0.8.11",
  )
  .regex(/^(?!0\.0\.0(?:[-+]|$))/, "TYPE-5: 0.0.0 is no version");

export const Dependency = z.object({
  imageName: ACIdentifier,
  imageID: ImageIDPrefix.or(z.literal("").transform(() => undefined)).optional(),
  labels: orEmpty(Labels),
  size: z.int().min(0).optional(),
});
export type Dependency = z.infer<typeof Dependency>;

export const ImageManifest = z.object({
  acKind: z.literal("ImageManifest", { error: "ACI-21: acKind is ImageManifest" }),
  acVersion: ACVersion,
  name: ACIdentifier,
  labels: orEmpty(Labels),
  app: App.nullish().transform((app) => app ?? undefined),
  annotations: orEmpty(Annotations),
  dependencies: nullableList(Dependency),
  pathWhitelist: nullableList(AbsolutePath),
});
export type ImageManifest = z.infer<typeof ImageManifest>;
