/** perigee push */
import { pushToRegistry } from "../../api/push.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { humanSize } from "../tables.ts";

export default defineCommand({
  name: "push",
  arguments: "<image> <destination>",
  summary: "Push an image to a registry, as an OCI image",
  description:
    "DESTINATION is docker://HOST/NAME[:TAG]. An image that came from a registry or from files of Docker or OCI is sent as it came, with the same digest; an App Container " +
    "Image as image export --as oci would write it. Only what the registry does not have is sent. Prints the reference with the digest, by which others fetch exactly this. " +
    "Who you are is read from the files that podman login and docker login write, with the credential helpers that they name, and from auth.d of a configuration directory. IMAGE is the ID of a stored image, its name, or the path of an .aci, which is not verified.",
  options: [["--strict", "refuse an image of which OCI cannot say everything"]],
  examples: [
    "perigee push example.com/web:1.0 docker://registry.example.com/team/web:1.0",
    "perigee --insecure-options=http push ./web.aci docker://localhost:5000/web",
  ],
  notes: [
    "1: OCI cannot say everything, with --strict",
    "3: there is no such image",
    "4: the registry does not let you",
    "7: the registry could not be reached",
  ],
  run: async ({ args: [image = "", to = ""], options, settings, signal }) => {
    const pushed = await pushToRegistry(settings, { image, to, strict: options.flag("strict"), signal });
    const { name, sent, sentBytes, mounted, present } = pushed;
    settings.log.info(
      `pushed ${printable(name)}: ${sent} blobs sent, ${humanSize(sentBytes)}; ${mounted + present} were there`,
    );
    return pushed;
  },
  text: ({ reference }) => [printable(reference)],
});
