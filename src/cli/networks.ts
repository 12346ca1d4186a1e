/** The networks of a pod in one word, as rkt wrote them: `default:ip4=10.178.0.2,lan:ip4=10.1.2.3`. */
import type { PodStatus } from "../api/pods.ts";
import { printable } from "../base/failure.ts";

export function networkWords(pod: Pick<PodStatus, "network" | "networks">): string {
  const networks = pod.networks ?? [];
  if (networks.length === 0) return printable(pod.network ?? "");
  const words = networks.map(({ network, addresses }) => {
    const first = addresses.map((address) => address.split("/")[0] ?? "").find((address) => !address.includes(":"));
    const [other] = addresses;
    if (first !== undefined) return `${network}:ip4=${first}`;
    return other === undefined ? network : `${network}:ip6=${other.split("/")[0]}`;
  });
  return printable(words.join(","));
}
