/** The platform of this host in appc's words (ACI-28, TYPE-16). Needs no schema library: run asks it. */

type Labels = readonly { readonly name: string; readonly value: string }[];

/** The appc arch word for Node's `process.arch` on Linux (TYPE-16). */
export function hostArch(nodeArch: string): string {
  const words: ReadonlyMap<string, string> = new Map([
    ["x64", "amd64"],
    ["arm64", "aarch64"],
    ["ia32", "i386"],
    ["arm", "armv7l"],
    ["ppc64", "ppc64le"],
    ["s390x", "s390x"],
  ]);
  return words.get(nodeArch) ?? nodeArch;
}

/** `os` and `arch` of this host, as far as `labels` does not say them. */
export function hostLabels(labels: Labels): Labels {
  const host = [
    { name: "os", value: "linux" },
    { name: "arch", value: hostArch(process.arch) },
  ];
  return host.filter(({ name }) => labels.every((label) => label.name !== name));
}

/** The labels of a request with the host's `os` and `arch` where none were given. */
export function withHostLabels(labels: Labels): Labels {
  return [...labels, ...hostLabels(labels)];
}
