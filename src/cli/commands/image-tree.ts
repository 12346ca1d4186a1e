/** perigee image tree */
import { type ImageTree, imageTree, type TreeImage } from "../../api/image-tree.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { formatTable, humanSize } from "../tables.ts";

export default defineCommand({
  name: "image tree",
  arguments: "<image>",
  summary: "Show what an image depends on, and where its files come from",
  description:
    "Dependencies are shown in the order in which they are laid; an image that comes again is shown once with what is below it. IMAGE is the ID of a stored image or its name, or the path of an .aci, which is not verified; what it depends on is looked for in the store.",
  options: [["--files", "list the files of the rendered tree, each with the image it comes from"]],
  examples: ["perigee image tree example.com/web:1.0", "perigee image tree --files ./web.aci"],
  notes: [
    "1: the images depend on each other in a circle",
    "3: there is no such image or file, or one that it depends on is not stored",
  ],
  run: ({ args: [image = ""], options, settings, signal }) =>
    imageTree(settings, { image, files: options.flag("files"), signal }),
  text: (tree) => [...graph(tree), ...files(tree)],
});

function graph({ root, images }: ImageTree): readonly string[] {
  const byId = new Map(images.map((image) => [image.id, image]));
  const shown = new Set<string>();
  const lines: string[] = [];
  const visit = (id: TreeImage["id"], lead: string, below: string): void => {
    const image = byId.get(id);
    if (image === undefined) return;
    const isAgain = shown.has(id) && image.dependencies.length > 0;
    shown.add(id);
    lines.push(
      `${lead}${label(image)}  ${id.slice(0, 19)}  ${humanSize(image.tarSize)}${isAgain ? "  (see above)" : ""}`,
    );
    if (isAgain) return;
    image.dependencies.forEach((dependency, index) => {
      const isLast = index === image.dependencies.length - 1;
      visit(dependency, `${below}${isLast ? "└─ " : "├─ "}`, `${below}${isLast ? "   " : "│  "}`);
    });
  };
  visit(root, "", "");
  return lines;
}

function label({ name, labels }: TreeImage): string {
  const version = labels.find((one) => one.name === "version")?.value;
  return printable(version === undefined ? name : `${name}:${version}`);
}

function files({ files: list, images }: ImageTree): readonly string[] {
  if (list === undefined) return [];
  const names = new Map(images.map((image) => [image.id, label(image)]));
  const rows = list.map(({ path, type, size, image }) => [names.get(image) ?? image, type, humanSize(size), path]);
  return ["", ...formatTable(["IMAGE", "TYPE", "SIZE", "PATH"], rows)];
}
