/** The texts of `perigee help TOPIC`. Data. */
import { failureCodes } from "../base/failure.ts";
import { wrap } from "./tables.ts";

/** exit status → what it means for every command but `run` and its kin (architecture 12). */
export const exitMeanings: ReadonlyMap<number, string> = new Map([
  [0, "done"],
  [1, "failed"],
  [2, "the line could not be understood, or an abbreviation fits several things"],
  [3, "not found: a file, an image, a pod, an image that no place asked has"],
  [4, "not trusted: no signature, none by a trusted key, not authorised"],
  [5, "wrong content: a trusted key's bad signature; a digest, size or name that differs"],
  [6, "wrong state: exists already, locked, still running"],
  [7, "network: refused, timed out, TLS, a server's error"],
  [130, "interrupted (129, 143: hung up, terminated)"],
  [141, "the reader of standard output went away"],
]);

export const topicNames = ["exit-codes", "environment", "formatting", "limits", "trust", "unprivileged"] as const;

/** The lines of one topic; undefined when there is none of that name. */
export function topic(name: string): readonly string[] | undefined {
  if (name === "exit-codes") return exitCodes();
  return texts.get(name);
}

function exitCodes(): readonly string[] {
  const rows = [...exitMeanings].map(([status, meaning]) => {
    const codes = failureCodes().filter(([, value]) => value === status && status > 0);
    const names = codes.length === 0 ? [] : wrap(codes.map(([code]) => code).join(" "), 72);
    return [`  ${String(status).padStart(3)}  ${meaning}`, ...names.map((line) => `       ${line}`)];
  });
  return [
    "Exit status of every command but run:",
    ...rows.flat(),
    "",
    "Exit status of run:",
    "  the app's own, 128+N when signal N ended it; 125 perigee failed;",
    "  126 the app's program was found and cannot be executed; 127 it was not found",
    "",
    "The words in capitals stand in error[…] and in the JSON object of a failure.",
  ];
}

const texts: ReadonlyMap<string, readonly string[]> = new Map([
  [
    "environment",
    [
      "Directories, each with the flag that sets it:",
      "  --dir            root: /var/lib/perigee; others: $XDG_DATA_HOME/perigee, else ~/.local/share/perigee",
      "                   (a configuration of kind paths can set it too)",
      "  --system-config  /usr/lib/perigee",
      "  --local-config   /etc/perigee",
      "  --user-config    $XDG_CONFIG_HOME/perigee, else ~/.config/perigee, for root too; your keys are in keys/ there",
      "",
      "Variables:",
      "  PERIGEE_PASSPHRASE   the passphrase of a secret key, for commands that nobody types",
      "  SOURCE_DATE_EPOCH    seconds; no time in a built image is later, and times we make are this",
      "  NODE_EXTRA_CA_CERTS  a PEM file of TLS authorities to trust too, as --ca-file",
      "  NO_COLOR             not empty: no colour",
      "  TERM                 dumb: no colour, no line that is overwritten",
      "",
      "No variable is handed to an app unless run is told to (--inherit-env, --set-env, --set-env-file, --environment).",
    ],
  ],
  [
    "formatting",
    [
      "Standard output carries the result and nothing else; everything else is on standard error.",
      "",
      "  --format table   lines and columns for people (the default)",
      "  --format json    a list is an array, empty as [], an object an object; a command that reports while it",
      "                   works prints one object a line. Times are RFC 3339, sizes bytes.",
      "",
      'With --format json standard error holds one JSON object a line: {"log": {level, message}}, and for a failure',
      '{"error": {code, message, cause, hint}} as the last one; cause and hint are null when there is none.',
      "",
      "Names and texts of strangers are shown with control characters as \\xNN or \\u{…}.",
    ],
  ],
  [
    "trust",
    [
      "An image is used only if one of its signers is trusted for its name. Trust is given to a key, for a prefix:",
      "",
      "  perigee trust --prefix example.com/web            find the key by discovery, show it, ask",
      "  perigee trust --prefix example.com/web KEYFILE    the same with a key you have",
      "  perigee trust --prefix … --fingerprint F          no question: the key must have this fingerprint",
      "  perigee trust --root KEYFILE                      for all names",
      "  perigee trust check example.com/web               which keys count for a name, and why others do not",
      "  perigee trust list; perigee trust rm F            what is trusted; no longer trusting a key",
      "",
      "A prefix covers whole path components: example.com/fo does not cover example.com/foo.",
      "Trusted keys are files below trustedkeys/ in the configuration directories (perigee help environment);",
      "an empty file of the same name in a directory of higher precedence masks a key.",
      "",
      "--insecure-options leaves checks out; each is named, none is on by default:",
      "  image         no signature is needed",
      "  tls           any TLS certificate is accepted",
      "  http          discovery may use plain http",
      "  pubkey        keys may come over plain http",
      "  ondisk        accepted, does nothing",
      "  capabilities  apps get every capability",
      "  paths         sensitive paths of /proc and /sys are neither masked nor read-only",
      "  seccomp       no system call filter",
      "  device-nodes  image extract and image render make device nodes (pods never see an image's)",
      "  all-fetch = image,tls,http,pubkey   all-run = capabilities,paths,seccomp   all, none",
    ],
  ],
  [
    "unprivileged",
    [
      "The commands are the same without root. Root of your pods is you; docs/unprivileged.md lists what differs.",
      "",
      "Files of an image keep their owners, and apps run as any user of it, when root of the machine gave you ids:",
      "",
      '  sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "$USER"',
      "",
      "and newuidmap and newgidmap are installed (package uidmap or shadow-utils). Else your pods have one id, 0.",
      "",
      "Limits of memory and processors need a cgroup v2 that was delegated to you; without one they are ignored,",
      "which is said, and refused with --strict:",
      "",
      "  systemd-run --user --scope -p Delegate=yes perigee run --memory 256Mi example.com/app",
      "",
      "Where AppArmor keeps user namespaces from ordinary users (Ubuntu), root can allow perigee alone: a file",
      "/etc/apparmor.d/perigee-shim with the path of perigee-shim, then apparmor_parser -r on it:",
      "",
      "  abi <abi/4.0>,",
      "  profile perigee-shim /PATH/TO/perigee-shim flags=(unconfined) { userns, }",
    ],
  ],
  [
    "limits",
    [
      "Whatever reads an image stops at a limit (error[LIMIT_EXCEEDED]) rather than at the end of the disk or the memory.",
      "A *.json file in limits.d of a configuration directory (perigee help environment) sets them:",
      "",
      '  { "perigeeKind": "limits", "perigeeVersion": "v1", "totalSize": 137438953472, "ratio": 1000 }',
      "",
      "  entries               files, directories and links of one image",
      "  fileSize, totalSize   bytes of one file, of the uncompressed archive; holes count",
      "  ratio                 uncompressed over compressed, once 64 MiB came out",
      "  xzMemory, zstdWindow  bytes a decoder may hold",
      "  pathLength, componentLength, depth, metaRecord, xattrValue, xattrTotal",
      "                        only to a smaller number: the kernel takes no more",
      "",
      "perigee config --all shows what holds, and which file says it.",
    ],
  ],
]);
