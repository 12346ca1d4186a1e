/** perigee image rm */
import { removeImages } from "../../api/images.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  name: "image rm",
  arguments: "<image...>",
  summary: "Remove images from the store",
  description:
    "IMAGE is the ID of a stored image (sha512- and 8 digits or more) or a name that only one stored image has. All are removed, or none. Prints their IDs.",
  examples: ["perigee image rm example.com/web:1.0", "perigee image rm sha512-3c1a0dfd962d sha512-77b0c4e8ab11"],
  notes: ["2: a name or an ID means several images", "3: there is no such image", "6: a pod uses one of the images"],
  run: ({ args, settings, signal }) => removeImages(settings, { images: args, signal }),
  text: (removed) => removed.map((image) => image.id),
});
