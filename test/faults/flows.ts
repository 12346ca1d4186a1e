/** The commands that faults are tried on: what is there before each, its line, and how it ends when it is repeated. */
import type { FaultWorld } from "./world.ts";

export interface Flow {
  /** What has to be there before; the places are empty. */
  prepare(world: FaultWorld): Promise<void>;
  args(world: FaultWorld): readonly string[];
  /** Exit statuses of the command when it is given again: 3 where there is nothing left to do. */
  readonly again: readonly number[];
  /** When it has ended, no loss of power undoes what it did. A removal may be undone: gc, or the command again, removes it once more. */
  readonly isDurable: boolean;
}

const insecure = "--insecure-options=image";
const trust = (world: FaultWorld) => [
  ...["trust", "--prefix", "example.com", "--fingerprint", world.key.fingerprint],
  world.work.path("key.asc"),
];

async function trusted(world: FaultWorld): Promise<void> {
  world.work.must(trust(world));
}

/** A pod of another image, which nobody may disturb (I7). */
async function trustedBesidePod(world: FaultWorld): Promise<void> {
  await trusted(world);
  const other = world.work.stored("example.com/other", {}, { hello: "hello from example.com/other\n" });
  if (world.work.run([other, "--", "exit", "7"]).status !== 7) throw new Error("the other pod does not run");
}

async function fetched(world: FaultWorld): Promise<void> {
  await trusted(world);
  const { status, stderr } = await world.perigee([...world.online, "fetch", "example.com/app"]);
  if (status !== 0) throw new Error(stderr);
}

/** Two imports that died, and a pod that ended. */
async function littered(world: FaultWorld): Promise<void> {
  await trustedBesidePod(world);
  for (const at of [20, 50]) {
    await world.faulty([insecure, ...world.online, "fetch", world.work.path("base.aci")], {
      calls: "change",
      at,
      fault: { kill: "all" },
    });
  }
}

export const flows: Readonly<Record<string, Flow>> = {
  import: {
    prepare: async () => {},
    args: ({ work }) => [insecure, "fetch", work.path("base.aci")],
    again: [0],
    isDurable: true,
  },
  "fetch-https": {
    prepare: trustedBesidePod,
    args: ({ online }) => [...online, "fetch", "example.com/app"],
    again: [0],
    isDurable: true,
  },
  "fetch-file": {
    prepare: trusted,
    args: ({ online, work }) => [...online, "fetch", work.path("app.aci")],
    again: [0],
    isDurable: true,
  },
  "fetch-oci": {
    prepare: async () => {},
    args: ({ work }) => [insecure, "fetch", `oci:${work.path("layered")}`],
    again: [0],
    isDurable: true,
  },
  trust: { prepare: async () => {}, args: trust, again: [0], isDurable: true },
  "trust-rm": {
    prepare: trusted,
    args: ({ key }) => ["trust", "rm", key.fingerprint],
    again: [0, 3],
    isDurable: true,
  },
  "image-rm": { prepare: fetched, args: () => ["image", "rm", "example.com/app"], again: [0, 3], isDurable: false },
  gc: { prepare: littered, args: () => ["gc", "--grace-period=0s"], again: [0], isDurable: false },
  publish: {
    prepare: async () => {},
    args: ({ work }) => [
      ...["publish", "--out", work.path("out"), "--url", "https://example.com", "--key", work.path("key.asc")],
      ...[work.path("base.aci"), work.path("app.aci")],
    ],
    again: [0],
    isDurable: true,
  },
};
