/**
 * A process that imports an image and is killed by its own hand: `DATA NAME STEP`, SIGKILL right after the STEP-th change to
 * the disk. With STEP 0 it lives and prints how many there were.
 */
import { openStore } from "../../src/store/layout.ts";
import { importImage } from "./images.ts";

const [data = "", name = "", step = "0"] = process.argv.slice(2);
let count = 0;
await importImage(await openStore(data), { name, signature: Buffer.from("signature") }, () => {
  count += 1;
  if (count === Number(step)) process.kill(process.pid, "SIGKILL");
});
process.stdout.write(`${count}\n`);
