/** perigee image patch-manifest */
import { patchManifest } from "../../api/patch-manifest.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { compressionOf, compressionOptions } from "../compression.ts";
import { wroteFile } from "../summary.ts";

export default defineCommand({
  name: "image patch-manifest",
  arguments: "<image> [output]",
  summary: "Copy an image with a changed manifest",
  description:
    "Every other byte of the image's tar stays as it is, and nothing is unpacked. IMAGE is the path of an .aci, or an image of the store, which itself never changes. " +
    "What a flag names replaces what is there: the command, a mount point, port or isolator of the same name; others are added. Fields that no flag names stay. " +
    "The image has a new ID, which is printed, and needs a new signature.",
  options: [
    ["--manifest <file>", "take this file as the manifest; excludes the flags that change single fields"],
    ["--name <name>", "the name of the image"],
    ["--exec <line>", "the command of the app, words parted by blanks; makes an app where there is none"],
    ["--user <user>", "the user of the app"],
    ["--group <group>", "the group of the app"],
    ["--supplementary-groups <list>", "its other groups, a comma list of numbers"],
    ["--capability <list>", "the capabilities that are retained, a comma list"],
    ["--revoke-capability <list>", "the capabilities that are removed, a comma list"],
    ["--mounts <list>", "mount points: NAME,path=PATH[,readOnly=true][:NAME2,…]"],
    ["--ports <list>", "ports: NAME,protocol=tcp,port=N[,count=N][,socketActivated=true][:NAME2,…]"],
    ["--isolators <list>", "isolators: resource/cpu,request=50m,limit=100m[:os/linux/no-new-privileges,true]"],
    ["--seccomp-mode <mode>", "retain or remove the system calls of --seccomp-set: MODE[,errno=NAME]"],
    ["--seccomp-set <list>", "names of system calls or @groups, a comma list"],
    ["--replace", "change the file itself instead of writing another"],
    ["--overwrite", "replace the output if it is there"],
    ...compressionOptions,
  ],
  examples: [
    'perigee image patch-manifest --name example.com/web2 --exec "/bin/web --debug" web.aci web2.aci',
    "perigee image patch-manifest --replace --mounts data,path=/data:logs,path=/logs,readOnly=true web.aci",
    "perigee image patch-manifest --overwrite --manifest new.json web.aci web.aci",
  ],
  notes: ["1: the new manifest breaks a rule", "3: there is no such image", "6: OUTPUT is there"],
  run: async ({ args: [image = "", output], options, settings, signal }) => {
    const patched = await patchManifest(settings, {
      image,
      output,
      replace: options.flag("replace"),
      overwrite: options.flag("overwrite"),
      compression: compressionOf(options),
      manifest: options.text("manifest"),
      flags: {
        name: options.text("name"),
        exec: options.text("exec"),
        user: options.text("user"),
        group: options.text("group"),
        supplementaryGroups: options.text("supplementary-groups"),
        capability: options.text("capability"),
        revokeCapability: options.text("revoke-capability"),
        mounts: options.text("mounts"),
        ports: options.text("ports"),
        isolators: options.text("isolators"),
        seccompMode: options.text("seccomp-mode"),
        seccompSet: options.text("seccomp-set"),
      },
      signal,
    });
    settings.log.info(wroteFile(patched));
    return patched;
  },
  text: ({ id }) => [printable(id)],
});
