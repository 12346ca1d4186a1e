import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requireLocal, requireUserNamespaces } from "../../src/pod/unprivileged.ts";
import { fails } from "../helpers/failures.ts";

const kernel = (files: Readonly<Record<string, string>>) => (path: string) => files[path];

describe("requireUserNamespaces (ISO-20)", () => {
  it("passes where nothing forbids them", () => {
    assert.doesNotThrow(() => requireUserNamespaces(kernel({})));
    assert.doesNotThrow(() =>
      requireUserNamespaces(
        kernel({
          "/proc/sys/kernel/unprivileged_userns_clone": "1\n",
          "/proc/sys/user/max_user_namespaces": "96365\n",
          "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "0\n",
        }),
      ),
    );
  });

  it("refuses with the setting and the way out", () => {
    for (const [path, pattern] of [
      ["/proc/sys/kernel/unprivileged_userns_clone", /unprivileged_userns_clone/],
      ["/proc/sys/user/max_user_namespaces", /max_user_namespaces/],
    ] as const) {
      const refusal = fails("KERNEL_LACKS", /no ordinary user/, { cause: pattern, hint: pattern });
      assert.throws(() => requireUserNamespaces(kernel({ [path]: "0\n" })), refusal);
    }
  });

  it("under AppArmor's restriction a profile is what counts", () => {
    const restricted = { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n" };
    const own = "/proc/self/attr/current";
    const refusal = fails("KERNEL_LACKS", /ordinary user/, { cause: /AppArmor/, hint: /userns,/ });
    assert.throws(() => requireUserNamespaces(kernel({ ...restricted, [own]: "unconfined\n" })), refusal);
    assert.doesNotThrow(() => requireUserNamespaces(kernel({ ...restricted, [own]: "perigee (unconfined)\n" })));
  });

  it("this kernel allows them, or says why not", () => {
    try {
      requireUserNamespaces();
    } catch (error) {
      fails("KERNEL_LACKS", /ordinary user/)(error);
    }
  });
});

describe("requireLocal (ISO-20)", () => {
  it("refuses a data directory on a network, with a way out", () => {
    for (const type of [0x6969, 0xff534d42, 0x01021997]) {
      assert.throws(() => requireLocal("/home/a", () => type), fails("UNSUPPORTED", /\/home\/a/, { hint: /--dir/ }));
    }
    assert.doesNotThrow(() => requireLocal("/home/a", () => 0xef53));
    assert.doesNotThrow(() => requireLocal("/"));
  });
});
