/** Pod volumes and mounts (POD-9…14). */
import * as z from "zod";
import { AbsolutePath } from "./app.ts";
import { ACName } from "./names.ts";

/** A field that belongs to the other kind. Unknown fields are ignored as everywhere, these are a misunderstanding. */
const misplaced = (message: string) => z.never({ error: message }).optional();

/** POD-12, POD-13. */
export const HostVolume = z.object({
  name: ACName,
  kind: z.literal("host"),
  source: AbsolutePath,
  readOnly: z.boolean().nullish(),
  recursive: z.boolean().nullish(),
  mode: misplaced("POD-12: a host volume has no mode"),
  uid: misplaced("POD-12: a host volume has no uid"),
  gid: misplaced("POD-12: a host volume has no gid"),
});

/** POD-14. */
export const EmptyVolume = z.object({
  name: ACName,
  kind: z.literal("empty"),
  readOnly: z.boolean().nullish(),
  mode: z
    .string()
    .regex(/^0?[0-7]{1,4}$/, "POD-14: an octal mode such as 0755")
    .default("0755"),
  uid: z.int().min(0).max(4294967294).default(0),
  gid: z.int().min(0).max(4294967294).default(0),
  source: misplaced("POD-14: an empty volume has no source"),
  recursive: misplaced("POD-14: an empty volume has no recursive"),
});

export const Volume = z.discriminatedUnion("kind", [HostVolume, EmptyVolume]);
export type Volume = z.infer<typeof Volume>;

/** An explicit match of a volume to a path in one app (POD-9). */
export const Mount = z.object({ volume: ACName, path: AbsolutePath, appVolume: Volume.nullish() });
export type Mount = z.infer<typeof Mount>;
