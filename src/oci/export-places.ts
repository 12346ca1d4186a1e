/** Ports and mount points of an app as exposed ports and volumes of a config (OCI-82): the counterpart of places.ts. Pure. */
import { excerpt } from "../base/failure.ts";
import type { Port as AppPort, MountPoint } from "../schema/app.ts";
import { mapPorts, mapVolumes } from "./places.ts";

interface Named {
  readonly name: string;
}
type Port = Omit<AppPort, "name"> & Named;
type Point = Omit<MountPoint, "name"> & Named;

/** Each port is a key of its own: the specification knows no ranges. */
const mostPorts = 4096;
const protocols: readonly string[] = ["tcp", "udp", "sctp"];

/** `PORT/PROTOCOL`, in the order of the app. */
export function outgoingPorts(ports: readonly Port[], lost: (what: string) => void): readonly string[] {
  const exposed = new Set<string>();
  for (const { name, protocol, port, count, socketActivated } of ports) {
    const word = protocol.toLowerCase();
    if (!protocols.includes(word) || exposed.size + count > mostPorts) {
      const why = protocols.includes(word) ? `more than ${mostPorts} of them` : `its protocol is ${excerpt(protocol)}`;
      lost(`the port ${name}: ${why}`);
      continue;
    }
    if (socketActivated) lost(`that the port ${name} is opened before the app runs (socketActivated)`);
    for (let number = port; number < port + count; number += 1) exposed.add(`${number}/${word}`);
  }
  const names = mapPorts([...exposed], []).map(({ name }) => name);
  tellNames("port", ports, names, lost);
  return [...exposed];
}

/** Their paths. */
export function outgoingVolumes(points: readonly Point[], lost: (what: string) => void): readonly string[] {
  for (const { name, readOnly } of points) if (readOnly) lost(`that the mount point ${name} is read only`);
  const paths = [...new Set(points.map(({ path }) => path))];
  tellNames(
    "mount point",
    points,
    mapVolumes(paths, []).map(({ name }) => name),
    lost,
  );
  return paths;
}

/** OCI names neither; those that an import gives again are not missed. */
function tellNames(
  what: string,
  places: readonly { readonly name: string }[],
  given: readonly string[],
  lost: (what: string) => void,
): void {
  const gone = places.map(({ name }) => name).filter((name) => !given.includes(name));
  if (gone.length > 0)
    lost(
      `the ${gone.length === 1 ? "name" : "names"} of the ${what}${gone.length === 1 ? "" : "s"} ${gone.join(", ")}`,
    );
}
