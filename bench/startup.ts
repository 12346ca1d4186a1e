/** What every command pays before it does anything. */
import { alternate } from "./measure.ts";
import { type Context, type Row, timingRow } from "./rows.ts";

export async function startup({ program, work }: Context): Promise<readonly Row[]> {
  const node = { name: "node -e 0", argv: [process.execPath, "-e", "0"] };
  const version = alternate([{ name: "perigee", argv: [program, "version"] }, node], 41);
  const list = alternate([{ name: "perigee", argv: [program, "--dir", `${work}/startup`, "list"] }, node], 21);
  return [
    timingRow("perigee version", version, [{ factor: 1.25, of: "node -e 0" }]),
    timingRow("perigee list, no pods", list, []),
  ];
}
