/** perigee discover */
import { type DiscoveredImage, discoverImages } from "../../api/discover.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  name: "discover",
  arguments: "<name...>",
  summary: "Show where discovery finds an image, its signature and its keys",
  description:
    "Asks https://NAME?ac-discovery=1 and its parents, as fetch and trust do, and shows what came of every place. Downloads nothing.",
  examples: ["perigee discover example.com/web", "perigee discover example.com/web:1.0.0,arch=aarch64 --format json"],
  notes: [
    "3: no place announces the name",
    "4: a server wants to know who you are (auth.d)",
    "7: a server could not be reached",
  ],
  run: ({ args, settings, signal }) => discoverImages(settings, { names: args, signal }),
  text: (images) => images.flatMap(lines),
});

function lines({ name, labels, endpoints, keys, attempts }: DiscoveredImage): readonly string[] {
  const given = labels.map((label) => `,${label.name}=${label.value}`).join("");
  const said = [
    `${name}${given}`,
    ...endpoints.flatMap(({ image, signature }) => [`  image: ${image}`, `  signature: ${signature}`]),
    ...keys.map((key) => `  key: ${key}`),
    ...attempts.map(({ url, outcome }) => `  asked: ${url}: ${outcome}`),
  ];
  return said.map(printable);
}
