/** Pod volumes and mounts (POD-9…14). */
import * as z from "zod";
import { AbsolutePath } from "./app.ts";
import { ACName } from "./names.ts";

export const HostVolume = z.strictObject({
  name: ACName,
  kind: z.literal("host"),
  source: AbsolutePath,
  readOnly: z.boolean().nullish(),
  recursive: z.boolean().nullish(),
});

export const EmptyVolume = z.strictObject({
  name: ACName,
  kind: z.literal("empty"),
  readOnly: z.boolean().nullish(),
  mode: z
    .string()
    .regex(/^0?[0-7]{1,4}$/, "POD-14: an octal mode such as 0755")
    .default("0755"),
  uid: z.int().min(0).max(4294967294).default(0),
  gid: z.int().min(0).max(4294967294).default(0),
});

export const Volume = z.discriminatedUnion("kind", [HostVolume, EmptyVolume]);
export type Volume = z.infer<typeof Volume>;

/** An explicit match of a volume to a path in one app (POD-9). */
export const Mount = z.object({ volume: ACName, path: AbsolutePath, appVolume: Volume.nullish() });
export type Mount = z.infer<typeof Mount>;
