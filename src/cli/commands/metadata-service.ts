/** perigee metadata-service */
import { serveMetadata } from "../../api/metadata-service.ts";
import { excerpt, Failure, printable } from "../../base/failure.ts";
import { defineCommand, type OptionValues } from "../command.ts";

export default defineCommand({
  name: "metadata-service",
  summary: "Tell pods who they are: answer their AC_METADATA_URL",
  description:
    "Answers the pods of this data directory that were started with --mds-register: their manifests, annotations and uuid, and HMAC signatures in a pod's name. run starts one when none runs; by hand it stays until SIGINT or SIGTERM. Its keys survive it.",
  options: [
    ["--listen-port <port>", "of 127.0.0.1, for pods with the host's network", "18112"],
    ["--idle <seconds>", "end when that long no pod that asked has run; 0: never", "0"],
  ],
  examples: ["perigee metadata-service", "perigee metadata-service --idle 3600"],
  run: ({ options, settings, signal, emit }) =>
    serveMetadata(settings, {
      port: number(options, "listen-port", 65_535),
      idleSeconds: number(options, "idle", 86_400),
      signal,
      onReady: (service) => emit(`pods are registered at ${printable(service.socket)}`, service),
    }),
  text: () => [],
  json: () => undefined,
});

function number(options: OptionValues, name: string, most: number): number {
  const text = options.text(name) ?? "";
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= most) return value;
  throw new Failure("USAGE", `--${name} ${excerpt(text)}: this is no number from 0 to ${most}`, { subject: text });
}
