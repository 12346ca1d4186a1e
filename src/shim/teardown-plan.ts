/** What a plan says of the programs that undo what was done outside of the pod. */
/** A program of the host that the supervisor runs when the pod has ended; its input file, of the pod directory, is removed when it ended with 0. */
export interface TeardownPlan {
  readonly program: string;
  readonly stdinFile: string;
  /** All of it. */
  readonly environment?: readonly (readonly [string, string])[] | undefined;
  /** The variable that says where the pod's network namespace is; only of one that was made before the pod. */
  readonly netVariable?: string | undefined;
}

type TeardownRecord =
  | readonly ["teardown", program: string, stdinFile: string]
  | readonly ["teardown-env" | "teardown-net", string];

/** Its records of the plan: the further ones belong to the first. */
export function* teardownRecords({
  program,
  stdinFile,
  environment,
  netVariable,
}: TeardownPlan): Generator<TeardownRecord> {
  yield ["teardown", program, stdinFile];
  for (const [name, value] of environment ?? []) yield ["teardown-env", `${name}=${value}`];
  if (netVariable !== undefined) yield ["teardown-net", netVariable];
}
