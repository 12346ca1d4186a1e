/** `perigee serve` */
import { type ServedSite, serve } from "../../api/serve.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  name: "serve",
  arguments: "<directory>",
  summary: "Serve a site over HTTPS on this machine",
  description:
    "Serves what publish wrote (or any directory of files), read-only, with a certificate of your own local authority, which is made " +
    "on first use. Clients trust it by --ca-file; --connect-to leads a name to this server. Ends with SIGINT or SIGTERM.",
  options: [
    ["--listen <address:port>", "where to listen; port 0 is any that is free", "127.0.0.1:8443"],
    ["--host <name>*", "a further name for the certificate; the site's own and those of its images are in it"],
  ],
  examples: ["perigee serve site", "perigee serve --listen 127.0.0.1:0 --format json site"],
  run: ({ args, options, settings, signal, emit }) =>
    serve(settings, {
      directory: args[0] ?? "",
      listen: options.text("listen"),
      hosts: options.list("host"),
      signal,
      onReady: (site) => emit(describe(site).join("\n"), site),
    }),
  text: () => [],
  json: () => undefined,
});

function describe({ url, hosts, caFile }: ServedSite): readonly string[] {
  const port = url.slice(url.lastIndexOf(":") + 1);
  const [host = "localhost"] = hosts;
  const address = url.slice("https://".length, url.lastIndexOf(":"));
  return [
    `serving at ${url}`,
    `  for ${hosts.map(printable).join(", ")}`,
    `  clients: --ca-file ${printable(caFile)} --connect-to ${host}:${address}:${port}`,
  ];
}
