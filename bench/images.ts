/** Building, signing, verifying and fetching a 170 MB image of 8,700 files. */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { alternate, type Command, isInstalled, peakMemory, settle } from "./measure.ts";
import { type Context, type Row, timingRow } from "./rows.ts";
import { keyring, makeKey, makeLayout, must, own, signingEnvironment, trustOwnKeys } from "./signing.ts";
import { makeTree } from "./tree.ts";

export async function images(context: Context): Promise<readonly Row[]> {
  const { work, log } = context;
  const layout = join(work, "layout");
  const image = makeLayout(context, layout, "bench", (rootfs) => {
    const { files, bytes } = makeTree(rootfs);
    log(`bench: a tree of ${files} files, ${Math.round(bytes / 1e6)} MB`);
  });
  return [...build(context, layout), ...signing(context, image), ...fetching(context, image)];
}

function build({ work, program }: Context, layout: string): readonly Row[] {
  const ours: Command = { name: "perigee", argv: [program, "build", "--overwrite", layout, join(work, "ours.aci")] };
  const theirs: Command = {
    name: "actool build",
    argv: ["actool", "build", "--overwrite", layout, join(work, "theirs.aci")],
  };
  const hasActool = isInstalled("actool");
  const timings = alternate(hasActool ? [ours, theirs] : [ours], 3);
  return [
    timingRow(
      "build the tree, gzip",
      timings,
      [{ factor: 0.6, of: "actool build" }],
      hasActool ? [] : ["actool is not installed"],
    ),
  ];
}

function signing(context: Context, image: string): readonly Row[] {
  const env = signingEnvironment(context);
  makeKey(context);
  must(
    ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "bench-gpg@example.com", "ed25519", "sign", "never"],
    env,
  );
  must([...own(context), "sign", "--overwrite", image], env);
  trustOwnKeys(context);
  must(["gpg", "--batch", "--yes", "--armor", "--output", `${image}.gpg`, "--detach-sign", image], env);
  must(["gpg", "--batch", "--yes", "--output", keyring(context), "--export"], env);
  const sign = alternate(
    [
      { name: "perigee", argv: [...own(context), "sign", "--overwrite", image], env },
      {
        name: "gpg",
        argv: ["gpg", "--batch", "--yes", "--armor", "--output", `${image}.gpg`, "--detach-sign", image],
        env,
      },
    ],
    5,
  );
  const verify = alternate(
    [
      { name: "perigee", argv: [...own(context), "verify", image], env },
      { name: "gpgv", argv: ["gpgv", "--keyring", keyring(context), `${image}.gpg`, image], env },
    ],
    5,
  );
  const memory = [
    peakMemory({ name: "sign", argv: [...own(context), "sign", "--overwrite", image], env }),
    peakMemory({ name: "verify", argv: [...own(context), "verify", image], env }),
  ];
  spawnSync("gpgconf", ["--kill", "all"], { env: { ...process.env, ...env } });
  return [
    timingRow("sign the image", sign, [{ factor: 1.5, of: "gpg" }]),
    timingRow("verify the image", verify, [{ factor: 1.5, of: "gpgv" }]),
    {
      what: "peak memory of sign, verify",
      figures: memory.map((peak, index) => ({ name: index === 0 ? "sign" : "verify", value: (peak ?? 0) / 1024 })),
      unit: "MiB",
      bars: [],
      missing: [],
    },
  ];
}

function fetching(context: Context, image: string): readonly Row[] {
  const { work } = context;
  const env = signingEnvironment(context);
  const data = join(work, "fetch-data");
  const unpacked = join(work, "untarred");
  const ours: Command = {
    name: "perigee",
    argv: [...own(context), "--dir", data, "fetch", image],
    env,
    before: () => settle(work, () => rmSync(data, { recursive: true, force: true })),
  };
  const theirs: Command = {
    name: "tar -xzf; sync",
    argv: ["sh", "-c", `tar -xzf ${image} -C ${unpacked} && sync -f ${unpacked}`],
    before: () =>
      settle(work, () => {
        rmSync(unpacked, { recursive: true, force: true });
        mkdirSync(unpacked);
      }),
  };
  const timings = alternate([ours, theirs], 5);
  const peak = peakMemory(ours);
  rmSync(data, { recursive: true, force: true });
  return [
    timingRow("fetch the image from a file: verified, stored, unpacked, durable", timings, [
      { factor: 1.3, of: "tar -xzf; sync" },
    ]),
    {
      what: "peak memory of fetch",
      figures: [{ name: "perigee", value: (peak ?? Number.NaN) / 1024 }],
      unit: "MiB",
      bars: [{ limit: 200 }],
      missing: peak === undefined ? ["/usr/bin/time is not installed"] : [],
    },
  ];
}
