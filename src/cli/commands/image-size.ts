/** perigee image size */
import { type ImageSize, imageSize, type SizedPath } from "../../api/image-size.ts";
import { Failure, printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { formatTable, humanSize } from "../tables.ts";

export default defineCommand({
  name: "image size",
  arguments: "<image>",
  summary: "Show the largest files and directories of an image, and what a whitelist saves",
  description:
    "IMAGE is the ID of a stored image or its name, looked at with all it depends on, or the path of an .aci, which is not verified and looked at alone. A file with several names counts once. " +
    "SAVED is what the image's pathWhitelist leaves out of the tree, or what the list of --whitelist would.",
  options: [
    ["--top <number>", "how many of the largest are shown", "10"],
    ["--whitelist <file>", "try these absolute paths, one a line, as pathWhitelist"],
  ],
  examples: ["perigee image size example.com/web:1.0", "perigee image size --whitelist needed.txt --top 20 web.aci"],
  notes: [
    "1: it is no image, or breaks a rule",
    "3: there is no such image or file",
    "5: the stored archive is not what was fetched",
  ],
  run: ({ args: [image = ""], options, settings, signal }) =>
    imageSize(settings, { image, whitelist: options.text("whitelist"), top: count(options.text("top")), signal }),
  text: (size) => [
    `${printable(size.name)}  ${humanSize(size.fileBytes)} in ${size.entries} files and directories`,
    ...table("FILE", size.files),
    ...table("DIRECTORY", size.directories),
    ...whitelist(size),
  ],
});

function count(text = ""): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (number > 0) return number;
  throw new Failure("USAGE", `--top: ${printable(JSON.stringify(text))} is no number from 1 to 999999`, {
    hint: "--top 20",
  });
}

function table(title: string, paths: readonly SizedPath[]): readonly string[] {
  if (paths.length === 0) return [];
  return [
    "",
    ...formatTable(
      ["SIZE", title],
      paths.map(({ path, size }) => [humanSize(size), path]),
    ),
  ];
}

function whitelist({ whitelist: list }: ImageSize): readonly string[] {
  if (list === null) return [];
  const { paths, keptEntries, keptBytes, savedBytes, unknown } = list;
  return [
    "",
    `whitelist of ${paths}: ${humanSize(keptBytes)} in ${keptEntries} stay, ${humanSize(savedBytes)} SAVED`,
    ...unknown.map((path) => `  not in the image: ${path}`),
  ];
}
