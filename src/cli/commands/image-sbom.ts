/** perigee image sbom */
import { type ImageSbom, imageSbom, type SbomKind, sbomKinds } from "../../api/sbom.ts";
import { Failure, printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { formatTable } from "../tables.ts";

export default defineCommand({
  name: "image sbom",
  arguments: "<image>",
  summary: "List the packages inside of an image: its bill of materials",
  description:
    "Reads the databases of dpkg, apk and rpm and the packages of npm in the image; nothing of the image is run. IMAGE is the ID or name of a " +
    "stored image, the path of an .aci, which is not verified, or a directory with manifest and rootfs. With --as the result is a document, the same " +
    "for the same image everywhere.",
  options: [["--as <kind>", "a document instead of the list: spdx (SPDX 2.3) or cyclonedx (CycloneDX 1.6), both JSON"]],
  examples: [
    "perigee image sbom example.com/web:1.0",
    "perigee image sbom --as spdx ./web.aci >web.spdx.json",
    "perigee image sbom --as cyclonedx web/ >web.cdx.json",
  ],
  notes: [
    "1: it is no image, or breaks a rule",
    "packages of the image's own files; its dependencies are named, and have a bill of their own",
    "what cannot be read is a warning, and the document says that it is not complete",
    "3: there is no such image or file",
    "5: the stored archive is not what was fetched",
  ],
  run: async ({ args: [image = ""], options, settings, signal }) => {
    const kind = kindOf(options.text("as"));
    return { kind, sbom: await imageSbom(settings, { image, signal }) };
  },
  text: ({ kind, sbom }) => (kind === undefined ? table(sbom) : sbom.document(kind).trimEnd().split("\n")),
  json: ({ kind, sbom }) => (kind === undefined ? sbom.packages : JSON.parse(sbom.document(kind))),
});

/** @throws Failure USAGE */
function kindOf(text: string | undefined): SbomKind | undefined {
  const kind = sbomKinds.find((candidate) => candidate === text);
  if (text === undefined || kind !== undefined) return kind;
  throw new Failure("USAGE", `there is no bill of materials of the kind ${printable(text)}`, {
    hint: `--as ${sbomKinds.join("|")}`,
  });
}

function table({ packages }: ImageSbom): readonly string[] {
  const rows = packages.map(({ type, name, version, architecture, licence }) =>
    [type, name, version, architecture ?? "", (licence ?? "").slice(0, 60)].map(printable),
  );
  return formatTable(["TYPE", "NAME", "VERSION", "ARCH", "LICENCE"], rows);
}
