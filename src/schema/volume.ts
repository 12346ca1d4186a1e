/** Pod volumes and mounts (POD-9…14). */
import * as z from "zod";
import { AbsolutePath } from "./app.ts";
import { propagations } from "./grammar.ts";
import { ACName } from "./names.ts";
import { Amount } from "./quantity.ts";

/** A field that belongs to the other kind. Unknown fields are ignored as everywhere, these are a misunderstanding. */
const misplaced = (message: string) => z.never({ error: message }).optional();

const octalMode = (rule: string) => z.string().regex(/^0?[0-7]{1,4}$/, `${rule}: an octal mode such as 0755`);
const id = z.int().min(0).max(4294967294).default(0);

/** POD-12, POD-13, POD-54. */
export const HostVolume = z.object({
  name: ACName,
  kind: z.literal("host"),
  source: AbsolutePath,
  readOnly: z.boolean().nullish(),
  recursive: z.boolean().nullish(),
  propagation: z.enum(propagations, { error: "POD-54: private, slave or shared" }).nullish(),
  mode: misplaced("POD-12: a host volume has no mode"),
  uid: misplaced("POD-12: a host volume has no uid"),
  gid: misplaced("POD-12: a host volume has no gid"),
});

/** POD-14, POD-52. */
export const EmptyVolume = z.object({
  name: ACName,
  kind: z.literal("empty"),
  readOnly: z.boolean().nullish(),
  mode: octalMode("POD-14").default("0755"),
  uid: id,
  gid: id,
  seeded: z.boolean().nullish(),
  source: misplaced("POD-14: an empty volume has no source"),
  recursive: misplaced("POD-14: an empty volume has no recursive"),
});

/** POD-50: ours, not appc's. */
export const TmpfsVolume = z.object({
  name: ACName,
  kind: z.literal("tmpfs"),
  readOnly: z.boolean().nullish(),
  size: Amount.nullish(),
  mode: octalMode("POD-50").default("1777"),
  uid: id,
  gid: id,
  source: misplaced("POD-50: a tmpfs volume has no source"),
  recursive: misplaced("POD-50: a tmpfs volume has no recursive"),
});

export const Volume = z.discriminatedUnion("kind", [HostVolume, EmptyVolume, TmpfsVolume]);
export type Volume = z.infer<typeof Volume>;

/** An explicit match of a volume to a path in one app (POD-9). */
export const Mount = z.object({ volume: ACName, path: AbsolutePath, appVolume: Volume.nullish() });
export type Mount = z.infer<typeof Mount>;
