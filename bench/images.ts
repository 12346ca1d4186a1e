/** Building, signing, verifying and fetching a 170 MB image of 8,700 files. */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { alternate, type Command, isInstalled, peakMemory } from "./measure.ts";
import { type Context, type Row, timingRow } from "./rows.ts";
import { makeTree } from "./tree.ts";

const manifest = {
  acKind: "ImageManifest",
  acVersion: "0.8.11",
  name: "example.com/bench",
  labels: [
    { name: "os", value: "linux" },
    { name: "arch", value: "amd64" },
  ],
  app: { exec: ["/bin/true"], user: "0", group: "0" },
};

export async function images(context: Context): Promise<readonly Row[]> {
  const { work, program, log } = context;
  const layout = join(work, "layout");
  mkdirSync(join(layout, "rootfs"), { recursive: true });
  writeFileSync(join(layout, "manifest"), JSON.stringify(manifest));
  const { files, bytes } = makeTree(join(layout, "rootfs"));
  const image = join(work, "bench.aci");
  must([program, "build", "--overwrite", layout, image]);
  log(
    `bench: a tree of ${files} files, ${Math.round(bytes / 1e6)} MB, ${Math.round(statSync(image).size / 1e6)} MB as gzip`,
  );
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
  must([...own(context), "key", "generate", "--name", "Bench", "--email", "bench@example.com", "--no-passphrase"], env);
  must(
    ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "bench-gpg@example.com", "ed25519", "sign", "never"],
    env,
  );
  must([...own(context), "sign", "--overwrite", image], env);
  trustOwnKeys(context, env);
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
    before: () => settle(() => rmSync(data, { recursive: true, force: true })),
  };
  const theirs: Command = {
    name: "tar -xzf; sync",
    argv: ["sh", "-c", `tar -xzf ${image} -C ${unpacked} && sync -f ${unpacked}`],
    before: () =>
      settle(() => {
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

/** What an earlier run left to be written must not be paid by the next one. */
function settle(change: () => void): void {
  change();
  spawnSync("sync");
}

function signingEnvironment({ work }: Context): Readonly<Record<string, string>> {
  const home = join(work, "home");
  mkdirSync(join(home, "gnupg"), { recursive: true, mode: 0o700 });
  return {
    HOME: home,
    XDG_CONFIG_HOME: join(home, "config"),
    XDG_DATA_HOME: join(home, "data"),
    GNUPGHOME: join(home, "gnupg"),
  };
}

/** The program with a local configuration of its own, so that the machine's is neither used nor changed. */
function own({ work, program }: Context): readonly string[] {
  return [program, "--local-config", join(work, "home", "etc")];
}

function keyring({ work }: Context): string {
  return join(work, "bench.gpg");
}

function trustOwnKeys(context: Context, env: Readonly<Record<string, string>>): void {
  const exported = spawnSync(context.program, ["key", "list", "--format", "json"], {
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  const [key] = JSON.parse(exported.stdout) as { fingerprint: string }[];
  if (key === undefined) throw new Error("no key was generated");
  const file = join(context.work, "bench-public.asc");
  must([...own(context), "key", "export", "--output", file, key.fingerprint], env);
  must([...own(context), "trust", "--prefix", "example.com/bench", "--fingerprint", key.fingerprint, file], env);
}

function must(argv: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const [command = "", ...args] = argv;
  const result = spawnSync(command, args, { env: { ...process.env, ...env }, encoding: "utf8" });
  if (result.status !== 0) throw new Error(`${argv.join(" ")}: exit ${result.status}\n${result.stderr}`);
}
