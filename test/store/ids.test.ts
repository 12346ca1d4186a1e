import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { CallerIds } from "../../src/shim/caller-ids.ts";
import { requireSameIds } from "../../src/store/ids.ts";
import { fails } from "../helpers/failures.ts";
import { makeTemporary } from "../helpers/temporary.ts";

const maps = (...ranges: readonly (readonly [number, number, number])[]) =>
  ranges.map(([inside, outside, count]) => ({ inside, outside, count }));
const one: CallerIds = { uids: maps([0, 1000, 1]), gids: maps([0, 100, 1]), lacks: "a range in /etc/subuid" };
const many: CallerIds = {
  uids: maps([0, 1000, 1], [1, 100000, 65536]),
  gids: maps([0, 100, 1], [1, 100000, 65536]),
  mappers: { uids: "/usr/bin/newuidmap", gids: "/usr/bin/newgidmap" },
};

describe("requireSameIds (LIFE-91)", () => {
  let store = { root: "" };
  let remove: () => Promise<void>;
  before(async () => {
    const temporary = await makeTemporary();
    store = { root: temporary.path };
    remove = temporary.remove;
  });
  after(() => remove());
  const noted = () => readFileSync(join(store.root, "ids"), "utf8");
  const reset = () => rmSync(join(store.root, "ids"), { recursive: true, force: true });

  it("root's store has none", () => {
    requireSameIds(store, undefined);
    assert.equal(existsSync(join(store.root, "ids")), false);
  });

  it("notes them, and takes the same and more", () => {
    requireSameIds(store, one);
    assert.equal(noted(), "0 1000 1\n0 100 1\n");
    requireSameIds(store, one);
    requireSameIds(store, many);
    assert.equal(noted(), "0 1000 1,1 100000 65536\n0 100 1,1 100000 65536\n");
    requireSameIds(store, many);
  });

  it("refuses fewer, and others, and changes nothing", () => {
    const before = noted();
    assert.throws(
      () => requireSameIds(store, one),
      fails("WRONG_STATE", /other ids/, { cause: /100000.*for want of/, hint: /subuid/ }),
    );
    const moved = { ...many, uids: maps([0, 1000, 1], [1, 200000, 65536]) };
    assert.throws(() => requireSameIds(store, moved), fails("WRONG_STATE"));
    assert.throws(
      () => requireSameIds(store, { ...many, uids: maps([0, 1001, 1], [1, 100000, 65536]) }),
      fails("WRONG_STATE"),
    );
    assert.equal(noted(), before);
  });

  it("a file that is empty, as after a loss of power, is written; what is no file of ours is refused", () => {
    writeFileSync(join(store.root, "ids"), "");
    requireSameIds(store, many);
    reset();
    mkdirSync(join(store.root, "ids"));
    assert.throws(() => requireSameIds(store, many), fails("WRONG_STATE", /ids/));
    reset();
    writeFileSync(join(store.root, "ids"), "nonsense\n");
    assert.throws(() => requireSameIds(store, many), fails("WRONG_STATE"));
    reset();
  });
});
