/** The `app` object of an image manifest (ACI-29…43). */
import * as z from "zod";
import { Isolators } from "./isolators.ts";
import { orEmpty, uniqueBy } from "./lists.ts";
import { ACName, EnvironmentName } from "./names.ts";

/** An absolute path of the image; `..` is refused because nothing of an image may point out of it (T-R19). */
export const AbsolutePath = z
  .string()
  .max(4095)
  .regex(/^\/[^\u0000]*$/, "an absolute path")
  .regex(/^(?![\s\S]*\/\.\.(?:\/|$))/, "no .. in a path");

const noNul = z.string().regex(/^[^\u0000]*$/, "no NUL byte");
const Exec = z.array(noNul);
/** A name, a number or a path, none of which is longer than the longest path. */
const Owner = noNul.max(4095, "ACI-32: at most 4095 characters");

export const EventHandler = z.object({ name: z.enum(["pre-start", "post-stop"]), exec: Exec.min(1) });
export const EnvironmentVariable = z.object({ name: EnvironmentName, value: noNul });
export const MountPoint = z.object({ name: ACName, path: AbsolutePath, readOnly: z.boolean().default(false) });
export type MountPoint = z.infer<typeof MountPoint>;

/** Each event has one handler (ACI-35). */
export const EventHandlers = z
  .array(EventHandler)
  .superRefine((list, context) =>
    uniqueBy(list, (handler) => handler.name, "ACI-35: duplicate event handler", context),
  );

/** ACI-42: `count` ports from `port` on. */
export const Port = z
  .object({
    name: ACName,
    protocol: z.string().min(1),
    port: z.int().min(1).max(65535),
    count: z
      .int()
      .min(0)
      .default(1)
      .transform((count) => Math.max(count, 1)),
    socketActivated: z.boolean().default(false),
  })
  .refine((port) => port.port + port.count - 1 <= 65535, {
    path: ["count"],
    message: "ACI-42: the range ends at 65535",
  });
export type Port = z.infer<typeof Port>;

/** 4294967295 means "no group" to the kernel. */
const GroupIds = z.array(z.int().min(0).max(4294967294)).nullish();

const appShape = {
  exec: Exec.nullish().transform((exec) => exec ?? []),
  user: Owner.min(1, "ACI-32: user is needed"),
  group: Owner.min(1, "ACI-32: group is needed"),
  supplementaryGIDs: GroupIds,
  supplementaryGids: GroupIds,
  eventHandlers: orEmpty(EventHandlers),
  workingDirectory: AbsolutePath.or(z.literal("").transform(() => undefined)).optional(),
  environment: orEmpty(
    z
      .array(EnvironmentVariable)
      .superRefine((list, context) => uniqueBy(list, (v) => v.name, "ACI-39: duplicate variable", context)),
  ),
  isolators: orEmpty(Isolators),
  mountPoints: orEmpty(
    z
      .array(MountPoint)
      .superRefine((list, context) => uniqueBy(list, (m) => m.name, "ACI-41: duplicate mount point", context)),
  ),
  ports: orEmpty(
    z.array(Port).superRefine((list, context) => uniqueBy(list, (p) => p.name, "ACI-42: duplicate port", context)),
  ),
  userAnnotations: z.record(z.string(), z.string()).nullish(),
  userLabels: z.record(z.string(), z.string()).nullish(),
};

/** Either spelling of supplementaryGIDs is read, not both: two readers would take different ones (ACI-34). */
export const App = z
  .object(appShape)
  .superRefine((app, context) => {
    if (app.supplementaryGIDs === undefined || app.supplementaryGids === undefined) return;
    const message = "ACI-34: supplementaryGIDs stands there in both spellings";
    context.addIssue({ code: "custom", path: ["supplementaryGids"], message });
  })
  .transform(({ supplementaryGids, ...app }) => ({
    ...app,
    supplementaryGIDs: app.supplementaryGIDs ?? supplementaryGids ?? [],
  }));
export type App = z.infer<typeof App>;
