/** perigee version */
import { showVersion } from "../../api/version.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  name: "version",
  summary: "Print versions",
  description: "The versions of perigee, of the App Container specification, of Node, of its zlib and of the kernel.",
  examples: ["perigee version", "perigee version --format json"],
  run: async () => showVersion(),
  text: (versions) => [
    `perigee Version: ${versions.version}`,
    `appc Version: ${versions.appcVersion}`,
    `Node Version: ${versions.nodeVersion}`,
    `zlib Version: ${versions.zlibVersion}`,
    `OS/Arch: ${versions.os}/${versions.arch}`,
    `Kernel: ${versions.kernel}`,
  ],
});
