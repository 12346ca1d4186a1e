/** Field of a manifest → the rule it is under, for refusals whose own words name none. */

const podFields: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "": "POD-4",
    acKind: "POD-4",
    acVersion: "POD-4",
    apps: "POD-5",
    "apps.image": "POD-6",
    "apps.image.labels": "ACI-26",
    "apps.app": "POD-7",
    "apps.readOnlyRootFS": "POD-8",
    "apps.mounts": "POD-9",
    "apps.annotations": "POD-10",
    volumes: "POD-11",
    "volumes.source": "POD-12",
    "volumes.recursive": "POD-13",
    "volumes.mode": "POD-14",
    "volumes.uid": "POD-14",
    "volumes.gid": "POD-14",
    isolators: "POD-15",
    annotations: "POD-15",
    ports: "POD-16",
    "ports.podPort": "POD-17",
    userAnnotations: "POD-18",
    userLabels: "POD-18",
  }),
);

const imageFields: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "": "ACI-20",
    acKind: "ACI-21",
    acVersion: "ACI-22",
    name: "ACI-23",
    labels: "ACI-26",
    app: "ACI-29",
    dependencies: "ACI-45",
    "dependencies.labels": "ACI-26",
    "dependencies.size": "ACI-47",
    pathWhitelist: "ACI-49",
    annotations: "ACI-50",
  }),
);

const appFields: ReadonlyMap<string, string> = new Map(
  Object.entries({
    exec: "ACI-30",
    user: "ACI-32",
    group: "ACI-32",
    supplementaryGIDs: "ACI-34",
    supplementaryGids: "ACI-34",
    eventHandlers: "ACI-35",
    workingDirectory: "ACI-38",
    environment: "ACI-39",
    isolators: "ACI-40",
    mountPoints: "ACI-41",
    ports: "ACI-42",
    userAnnotations: "ACI-44",
    userLabels: "ACI-44",
  }),
);

/** The rule of the field at `path` in a manifest of that kind: its own, else that of the nearest field around it. */
export function ruleOfField(kind: "image" | "pod", path: readonly PropertyKey[]): string {
  const names = path.filter((key) => typeof key !== "number").map(String);
  const inApp = kind === "pod" ? ["apps", "app"] : ["app"];
  const isInApp = inApp.every((name, index) => names[index] === name);
  const ofApp = isInApp ? appFields.get(names[inApp.length] ?? "") : undefined;
  if (ofApp !== undefined) return ofApp;
  const table = kind === "pod" ? podFields : imageFields;
  const around = names.map((_, index) => names.slice(0, names.length - index).join("."));
  return table.get(around.find((field) => table.has(field)) ?? "") ?? "";
}
