/** What the tests of a file about pods begin and end with: the guest program stored as an image, and nothing left behind. */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { assertNothingLeft, leakSnapshot } from "./leak-check.ts";
import { Workspace } from "./program.ts";

export const guestImage = "example.com/guest";

/** @param clearUp is done before the workspace is closed, and must leave nothing that the machine notices */
export function guestWork(clearUp: (work: Workspace) => void = () => {}): Workspace {
  const work = new Workspace();
  const clean = leakSnapshot();
  before(() => {
    work.stored(guestImage, { exec: ["/guest"] });
  });
  after(async () => {
    clearUp(work);
    await work.close();
    await assertNothingLeft(clean);
  });
  return work;
}

/** Pods that still run are stopped; one gc, with `flags`, then leaves none of any. */
export function endPods(work: Workspace, ...flags: readonly string[]): void {
  const running = work.pods().filter(({ state }) => state === "running");
  if (running.length > 0) work.must(["stop", "--force", ...running.map(({ uuid }) => uuid)]);
  work.must(["gc", "--grace-period=0s", ...flags]);
  assert.deepEqual(work.pods(), []);
}
