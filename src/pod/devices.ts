/** What every app finds below /dev, and which paths of /proc and /sys are hidden or read-only. Data, and the device programs made of it. */
import { componentsOf } from "./paths.ts";

export interface Device {
  readonly name: string;
  readonly major: number;
  readonly minor: number;
}

/** OS-1; the nodes of the host are bound, none is made. */
export const devices: readonly Device[] = [
  { name: "null", major: 1, minor: 3 },
  { name: "zero", major: 1, minor: 5 },
  { name: "full", major: 1, minor: 7 },
  { name: "random", major: 1, minor: 8 },
  { name: "urandom", major: 1, minor: 9 },
  { name: "tty", major: 5, minor: 0 },
];

/** `console` is the app's terminal when it has one (the shim makes it), else nothing is heard or said there. */
export const deviceLinks: readonly { readonly target: string; readonly path: string }[] = [
  { target: "pts/ptmx", path: "/dev/ptmx" },
  { target: "/proc/self/fd", path: "/dev/fd" },
  { target: "/proc/self/fd/0", path: "/dev/stdin" },
  { target: "/proc/self/fd/1", path: "/dev/stdout" },
  { target: "/proc/self/fd/2", path: "/dev/stderr" },
];

/** What else is in /dev, where no link of ours is. */
const otherNames: readonly string[] = ["console", "pts", "shm", "mqueue"];

/** Whether a device of a volume may be at `path` (POD-56): below /dev, and not at, below or above what is there for every app. */
export function isFreeDevicePath(path: string): boolean {
  const [top, name] = componentsOf(path);
  const own = [
    ...devices.map(({ name }) => name),
    ...deviceLinks.map(({ path }) => componentsOf(path)[1]),
    ...otherNames,
  ];
  return top === "dev" && name !== undefined && !own.includes(name);
}

/** Allowed by the device cgroup beside the nodes above: ptmx, and the slaves of pseudo-terminals (any minor). */
const terminals: readonly { readonly major: number; readonly minor: number | "*" }[] = [
  { major: 5, minor: 2 },
  { major: 136, minor: "*" },
];

const allowedDevices = [...devices, ...terminals];

/** A device that a volume gives to a pod: to be read and, unless `readOnly`, written; never to be made anew (POD-56). */
export interface GivenDevice {
  /** Of blocks or of characters. */
  readonly kind: "b" | "c";
  readonly major: number;
  readonly minor: number;
  readonly readOnly: boolean;
}

/** Lines for `devices.allow` of cgroup v1, after everything was denied. */
export function deviceRules(given: readonly GivenDevice[] = []): readonly string[] {
  return [
    ...allowedDevices.map(({ major, minor }) => `c ${major}:${minor} rwm`),
    ...given.map(({ kind, major, minor, readOnly }) => `${kind} ${major}:${minor} ${readOnly ? "r" : "rw"}`),
  ];
}

const below = (directory: string, names: string): readonly string[] =>
  names.split(" ").map((name) => `${directory}/${name}`);

/**
 * Hidden: what docker, podman, runc and rkt hide, together. Of /sys/fs everything but cgroup, where the app reads its own limits.
 * Paths that a kernel does not have cost nothing.
 */
export const maskedPaths: readonly string[] = [
  ...below(
    "/proc",
    "acpi asound config.gz interrupts kallsyms kcore keys kmem kmsg latency_stats mem sched_debug scsi",
  ),
  ...below("/proc", "timer_list timer_stats"),
  ...below("/sys", "dev/block devices/virtual/powercap firmware hypervisor module power"),
  ...below("/sys/fs", "bpf btrfs ecryptfs erofs ext4 f2fs fuse nfs pstore resctrl selinux smackfs tmpfs xfs"),
  ...below("/sys/kernel", "debug security tracing"),
];

export const readonlyPaths: readonly string[] = ["bus", "fs", "irq", "sys", "sysrq-trigger"].map(
  (name) => `/proc/${name}`,
);

// The eBPF instructions used, as in linux/bpf.h.
const loadContextWord = 0x61;
const andConstant = 0x57;
const jumpNotEqual = 0x55;
const moveConstant = 0xb7;
const exit = 0x95;

const moveRegister = 0xbf;
const shiftRight = 0x77;

/** BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_DEV_CHAR, and how a device is opened. */
const blockDevice = 1;
const characterDevice = 2;
const mayRead = 2;
const mayWrite = 4;

const refuse: readonly Instruction[] = [
  [moveConstant, 0, 0, 0],
  [exit, 0, 0, 0],
];
const allow: readonly Instruction[] = [
  [moveConstant, 0, 0, 1],
  [exit, 0, 0, 0],
];

/**
 * A BPF_PROG_TYPE_CGROUP_DEVICE program for cgroup v2: the same devices and nothing else. It returns 1 for allowed.
 * The context is { u32 access << 16 | type; u32 major; u32 minor } in r1.
 */
export function deviceProgram(given: readonly GivenDevice[] = []): Uint8Array {
  const rules = allowedDevices.flatMap(({ major, minor }): readonly Instruction[] => [
    [jumpNotEqual, 4, minor === "*" ? 2 : 3, major],
    ...(minor === "*" ? [] : [[jumpNotEqual, 5, 2, minor] satisfies Instruction]),
    ...allow,
  ]);
  return encode([
    [loadContextWord, 0x12, 0, 0],
    ...(given.length === 0
      ? []
      : ([
          [moveRegister, 0x23, 0, 0],
          [shiftRight, 3, 0, 16],
        ] satisfies Instruction[])),
    [andConstant, 2, 0, 0xffff],
    [loadContextWord, 0x14, 4, 0],
    [loadContextWord, 0x15, 8, 0],
    ...given.flatMap(givenRule),
    [jumpNotEqual, 2, rules.length, characterDevice],
    ...rules,
    ...refuse,
  ]);
}

/** Any way of opening it but those given is left to the rules behind. */
function givenRule({ kind, major, minor, readOnly }: GivenDevice): readonly Instruction[] {
  return [
    [jumpNotEqual, 2, 7, kind === "b" ? blockDevice : characterDevice],
    [jumpNotEqual, 4, 6, major],
    [jumpNotEqual, 5, 5, minor],
    [moveRegister, 0x36, 0, 0],
    [andConstant, 6, 0, ~(readOnly ? mayRead : mayRead | mayWrite)],
    [jumpNotEqual, 6, 2, 0],
    ...allow,
  ];
}

/** struct bpf_insn: `registers` is source << 4 | destination. */
type Instruction = readonly [code: number, registers: number, offset: number, immediate: number];

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(([code, registers, offset, immediate], index) => {
    view.setUint8(index * 8, code);
    view.setUint8(index * 8 + 1, registers);
    view.setInt16(index * 8 + 2, offset, true);
    view.setInt32(index * 8 + 4, immediate, true);
  });
  return bytes;
}
