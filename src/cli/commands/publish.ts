/** `perigee publish` */
import { type PublishedImage, publishImages } from "../../api/publish.ts";
import { Failure, printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { formatTable } from "../tables.ts";

export default defineCommand({
  name: "publish",
  arguments: "<image...>",
  summary: "Write a discovery site for images",
  description:
    "Puts images (files, all .aci files of a directory, or images of the store), their signatures (IMAGE.asc), the keys that made them and HTML pages, for meta " +
    "discovery and for people, into a directory that any web server can serve. Publishing again changes nothing; publishing more adds to " +
    "what is there. All of it comes into its place at the end, so that nobody meets half of it.",
  options: [
    ["--out <directory>", "the site; made if it is not there"],
    ["--url <url>", "where the directory will be served: https://HOST/PATH"],
    ["--key <file>*", "a file with public keys; your own keys are used without it"],
    ["--prune", "take away the images of the site that are not among these"],
    ["--recheck", "read and compare every byte, also of files that have not changed by their times"],
  ],
  examples: [
    "perigee publish --out site --url https://example.com web-1.0.0.aci",
    "perigee publish --out site --url https://example.com/images --key team.asc *.aci",
    "perigee publish --out site --url https://example.com --prune images/",
    "perigee publish --out mirror --url https://mirror.example.com example.com/web:1.0.0",
  ],
  notes: [
    "an image is the path that is there, else a stored image by name, labels or ID, as it was fetched, with its signature",
    "a page that is not below --url lies in a directory called like its host: the document root for that host",
    "who asks for no version gets `latest`: the highest version of the site",
    "5: a signature beside an image is not of that image",
  ],
  run: ({ args, options, settings, signal }) => {
    const required = (name: string): string => {
      const value = options.text(name);
      if (value !== undefined && value !== "") return value;
      throw new Failure("USAGE", `publish needs --${name}`, {
        hint: "perigee publish --out site --url https://example.com IMAGE.aci",
      });
    };
    return publishImages(settings, {
      images: args,
      out: required("out"),
      url: required("url"),
      keys: options.list("key"),
      prune: options.flag("prune"),
      recheck: options.flag("recheck"),
      signal,
    });
  },
  text: ({ images, removed, pages }) => [
    ...formatTable(["IMAGE", "SIGNED", "CHANGE", "URL"], images.map(row)),
    ...(removed.length === 0
      ? []
      : [
          "",
          ...formatTable(
            ["REMOVED"],
            removed.map((file) => [printable(file)]),
          ),
        ]),
    "",
    ...formatTable(
      ["PAGE", "FILE"],
      pages.map(({ url, file }) => [printable(url), printable(file)]),
    ),
  ],
});

function row({ name, version, isSigned, change, url }: PublishedImage): readonly string[] {
  const image = version === undefined ? name : `${name}:${version}`;
  return [printable(image), isSigned ? "yes" : "no", change, printable(url)];
}
