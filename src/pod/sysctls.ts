/** Kernel settings of a pod (ACE-44): only such as belong to namespaces of its own, written by the shim below /proc/sys. Pure. */
import { excerpt, Failure } from "../base/failure.ts";

export interface Sysctl {
  /** With dots. */
  readonly key: string;
  readonly value: string;
}

/**
 * `values` as in the isolator: keys with dots or slashes.
 * @throws Failure UNSUPPORTED for a setting of the host, MANIFEST_INVALID for what is no setting (T-R42: values that smuggle further keys)
 */
export function decideSysctls(
  values: Readonly<Record<string, string>>,
  network: "none" | "host" | "own",
): readonly Sysctl[] {
  return Object.entries(values).map(([written, value]) => {
    const key = written.replaceAll("/", ".");
    if (!/^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+$/.test(key) || !/^[\u0020-\u007e\t]*$/.test(value)) {
      throw new Failure("MANIFEST_INVALID", `sysctl ${excerpt(written)}: a key with dots and a value of one line`, {
        subject: written,
      });
    }
    if (!isOwn(key, network)) {
      throw new Failure("UNSUPPORTED", `sysctl ${excerpt(key)} is not the pod's own but the host's`, {
        subject: key,
        hint: "net.* without the host's network, kernel.shm*, kernel.msg*, kernel.sem and fs.mqueue.* are the pod's",
      });
    }
    return { key, value };
  });
}

function isOwn(key: string, network: "none" | "host" | "own"): boolean {
  const [top = "", second = "", ...more] = key.split(".");
  if (top === "net") return network !== "host";
  if (top === "fs") return second === "mqueue";
  const isIpc = /^(shm(max|all|mni|_rmid_forced)|msg(max|mnb|mni)|sem)$/.test(second);
  return top === "kernel" && isIpc && more.length === 0;
}
