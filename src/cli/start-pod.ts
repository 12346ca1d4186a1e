/** How a runnable pod is started by a command, and what is said before. */
import type { RunnablePod } from "../api/start-pod.ts";
import { printable } from "../base/failure.ts";
import type { CommandContext } from "./command.ts";

/** In the foreground this process becomes the pod's supervisor, and nothing comes back. */
export async function startPod(
  pod: RunnablePod,
  { detach, settings, format }: Pick<CommandContext, "settings" | "format"> & { readonly detach: boolean },
): Promise<{ readonly uuid: string }> {
  for (const warning of pod.warnings) settings.log.warn(printable(warning));
  if (!detach) return pod.replace({ report: format === "json" ? "json" : "text" });
  const { uuid } = await pod.spawn({ detached: true });
  return { uuid };
}
