/** perigee image verify */
import { type StoredVerdict, verdictStatus, verifyStoredImages } from "../../api/verify-images.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { failureLines, failureObject } from "../failures.ts";

export default defineCommand({
  name: "image verify",
  arguments: "<image...>",
  summary: "Check that stored images are still what was stored, and mend their trees",
  description:
    "Reads the archive of each image, and of those it depends on, and compares them with their digests; compares the tree that pods run from with one rendered anew, entry by entry, and replaces it when it differs. Of an image of Docker or OCI the blobs are read, and each of its layers is compared with one made anew; a blob that rotted is taken away, and the next fetch brings it. " +
    "IMAGE is the ID of a stored image or its name. A tree that a pod uses is not replaced. Signatures are checked by perigee fetch and perigee verify.",
  options: [["--no-repair", "leave a tree that differs as it is"]],
  examples: ["perigee image verify example.com/web:1.0", "perigee image verify --no-repair example.com/web"],
  notes: [
    "0: all is well, or was mended",
    "3: there is no such image; the others were looked at",
    "5: an archive is not what was stored, or a tree differs and was left",
    "6: a pod uses a tree that differs",
  ],
  run: ({ args, options, settings, signal }) =>
    verifyStoredImages(settings, { images: args, repair: options.flag("repair"), signal }),
  text: (verdicts) => verdicts.flatMap(lines),
  json: (verdicts) => verdicts.map(asData),
  status: verdictStatus,
});

function lines({ image, id, name, verdict, failure }: StoredVerdict): readonly string[] {
  if (id === undefined || name === undefined) {
    const said = failure === undefined ? [] : failureLines(failure, false).map((line) => `  ${line}`);
    return [`${printable(image)}: not looked at`, ...said];
  }
  const head = `${printable(name)} ${id.slice(0, 19)}:`;
  if (verdict === undefined) {
    const said = failure === undefined ? [] : failureLines(failure, false).map((line) => `  ${line}`);
    const next =
      failure?.hint === undefined ? [`    try: perigee image rm ${id.slice(0, 19)}, then fetch it again`] : [];
    return [`${head} damaged`, ...said, ...next];
  }
  const { tree, differences, differenceCount, usedBy } = verdict;
  const words = {
    same: "archive and tree are as they were stored",
    "not compared": "its blobs are as they were stored; the files made of them were not compared",
    "not rendered": "the archive is as it was stored; there is no tree",
    repaired: "the tree differed and was rendered anew",
    differs: "the tree differs",
  };
  return [
    `${head} ${words[tree]}`,
    ...differences.map(({ path, why }) => `  ${path}: ${why.join(", ")}`),
    ...(differenceCount > differences.length ? [`  and ${differenceCount - differences.length} more`] : []),
    ...(usedBy.length > 0 ? [`  try: perigee rm ${usedBy.join(" ")}, then perigee image verify again`] : []),
  ];
}

function asData({ image, id, name, verdict, failure }: StoredVerdict) {
  const head = { image, id: id ?? null, name: name ?? null };
  if (failure === undefined) return { ...head, archive: "same", ...verdict, error: null };
  return { ...head, archive: id === undefined ? null : "damaged", ...failureObject(failure, false) };
}
