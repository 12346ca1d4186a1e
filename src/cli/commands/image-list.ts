/** perigee image list */
import { listImages, type StoredImage } from "../../api/list-images.ts";
import { excerpt, Failure, printable } from "../../base/failure.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { formatTable, humanAge, humanSize } from "../tables.ts";

interface Column {
  readonly title: string;
  cell(image: StoredImage, full: boolean, now: Date): string;
}

const columns: ReadonlyMap<string, Column> = new Map<string, Column>([
  ["id", { title: "ID", cell: ({ id }, full) => (full ? id : id.slice(0, "sha512-".length + 12)) }],
  ["name", { title: "NAME", cell: nameWithVersion }],
  ["size", { title: "SIZE", cell: ({ size }, full) => (full ? String(size) : humanSize(size)) }],
  ["importtime", { title: "IMPORT TIME", cell: ({ importedAt }, full, now) => time(importedAt, full, now) }],
  ["lastused", { title: "LAST USED", cell: ({ lastUsedAt }, full, now) => time(lastUsedAt, full, now) }],
  ["signed", { title: "SIGNED", cell: ({ signers }, full) => vouched(signers, full) }],
]);

const orders: ReadonlyMap<string, (a: StoredImage, b: StoredImage) => number> = new Map([
  ["name", (a: StoredImage, b: StoredImage) => compare(nameWithVersion(a), nameWithVersion(b))],
  ["importtime", (a: StoredImage, b: StoredImage) => a.importedAt.getTime() - b.importedAt.getTime()],
  ["lastused", (a: StoredImage, b: StoredImage) => a.lastUsedAt.getTime() - b.lastUsedAt.getTime()],
  ["size", (a: StoredImage, b: StoredImage) => a.size - b.size],
]);

export default defineCommand({
  name: "image list",
  summary: "List the images of the store",
  description:
    "One line an image. SIZE is what it takes on the disk: its archive, and what was rendered of it, each file once. SIGNED names the keys whose signatures were verified when the image was fetched, by the first digits of their fingerprints (perigee trust list); no means that nobody vouched for it.",
  options: [
    [
      "--fields <list>",
      `columns, a comma list of ${[...columns.keys()].join(", ")}`,
      "id,name,size,importtime,lastused,signed",
    ],
    ["--sort <field>", [...orders.keys()].join(", "), "importtime"],
    ["--order <order>", "asc or desc", "asc"],
    ["--no-legend", "leave the header line out"],
    ["--full", "whole IDs, exact sizes and times"],
  ],
  examples: [
    "perigee image list",
    "perigee image list --sort size --order desc",
    "perigee image list --fields id,name --full --no-legend",
    "perigee image list --format json",
  ],
  run: async (context) => {
    const sort = context.options.text("sort");
    const compareImages = chosen(orders, context, "sort");
    const direction = chosen(directions, context, "order");
    chosenColumns(context);
    const images = await listImages(context.settings);
    // They come in this order already.
    if (sort === "importtime" && direction === 1) return images;
    return images.toSorted((a, b) => direction * compareImages(a, b));
  },
  text: (images, context) => {
    const shown = chosenColumns(context);
    const now = new Date();
    const isFull = context.options.flag("full");
    return formatTable(
      shown.map((column) => column.title),
      images.map((image) => shown.map((column) => column.cell(image, isFull, now))),
      { legend: context.options.flag("legend") },
    );
  },
});

function vouched(signers: readonly string[], full: boolean): string {
  if (signers.length === 0) return "no";
  return signers.map((fingerprint) => (full ? fingerprint : fingerprint.slice(0, 16))).join(",");
}

const directions: ReadonlyMap<string, number> = new Map([
  ["asc", 1],
  ["desc", -1],
]);

function chosenColumns({ options }: CommandContext): readonly Column[] {
  return (options.text("fields") ?? "").split(",").map((name) => pick(columns, name.trim(), "fields"));
}

function chosen<T>(values: ReadonlyMap<string, T>, { options }: CommandContext, option: string): T {
  return pick(values, options.text(option) ?? "", option);
}

function pick<T>(values: ReadonlyMap<string, T>, name: string, option: string): T {
  const value = values.get(name);
  if (value !== undefined) return value;
  throw new Failure("USAGE", `--${option} does not know ${JSON.stringify(excerpt(name))}`, {
    subject: name,
    hint: `--${option} with ${[...values.keys()].join(", ")}`,
  });
}

function nameWithVersion({ name, labels }: StoredImage): string {
  const version = labels.find((label) => label.name === "version")?.value;
  return printable(version === undefined ? name : `${name}:${version}`);
}

function time(at: Date, full: boolean, now: Date): string {
  return full ? at.toISOString() : humanAge(at, now);
}

/** By bytes, so that the order is the same under every locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
