/** Runs filter programs as the kernel would: classic BPF over struct seccomp_data, eBPF over the device context. */

export interface SyscallEvent {
  readonly arch: number;
  readonly number: number;
  /** 64-bit arguments. */
  readonly arguments?: readonly bigint[];
}

/** AUDIT_ARCH_… of linux/audit.h. */
export const auditArch = { x86_64: 0xc000003e, i386: 0x40000003, aarch64: 0xc00000b7, arm: 0x40000028 } as const;

function seccompData({ arch, number, arguments: values = [] }: SyscallEvent): DataView {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, arch, true);
  for (const [index, value] of values.entries()) data.setBigUint64(16 + 8 * index, BigInt.asUintN(64, value), true);
  return data;
}

/** The filter's return value. @throws when the program does what the kernel's checker would not accept */
export function runSeccomp(program: Uint8Array, event: SyscallEvent): number {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const data = seccompData(event);
  const length = program.byteLength / 8;
  let accumulator = 0;
  for (let at = 0; at < length; at += 1) {
    const [operation, k] = [code.getUint16(at * 8, true), code.getUint32(at * 8 + 4, true)];
    const [jumpTrue, jumpFalse] = [code.getUint8(at * 8 + 2), code.getUint8(at * 8 + 3)];
    switch (operation) {
      case 0x20:
        if (k % 4 !== 0) throw new Error(`instruction ${at}: load from ${k}`);
        accumulator = data.getUint32(k, true);
        break;
      case 0x54:
        accumulator = (accumulator & k) >>> 0;
        break;
      case 0x05:
        at += k;
        break;
      case 0x15:
        at += accumulator === k ? jumpTrue : jumpFalse;
        break;
      case 0x35:
        at += accumulator >= k ? jumpTrue : jumpFalse;
        break;
      case 0x06:
        return k;
      default:
        throw new Error(`instruction ${at}: unknown code ${operation}`);
    }
  }
  throw new Error("the program runs off its end");
}

/** `allow`, `kill` or `errno N`, of a return value. */
export function verdictOf(value: number): string {
  if (value === 0x7fff0000) return "allow";
  if (value === 0x80000000) return "kill";
  if ((value & 0xffff0000) === 0x00050000) return `errno ${value & 0xffff}`;
  return `0x${value.toString(16)}`;
}

/** Whether every jump stays in the program and every path ends in a return; what seccomp_check_filter asks. */
export function isSound(program: Uint8Array): boolean {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const length = program.byteLength / 8;
  for (let at = 0; at < length; at += 1) {
    const [operation, k] = [code.getUint16(at * 8, true), code.getUint32(at * 8 + 4, true)];
    const targets =
      operation === 0x06
        ? []
        : operation === 0x05
          ? [at + 1 + k]
          : operation === 0x15 || operation === 0x35
            ? [at + 1 + code.getUint8(at * 8 + 2), at + 1 + code.getUint8(at * 8 + 3)]
            : [at + 1];
    if (targets.some((target) => target >= length)) return false;
  }
  return length > 0 && length <= 4096;
}

/** Result of a device program: 1 allows. Type 1 is a block device, 2 a character device. */
export function runDevices(program: Uint8Array, type: number, major: number, minor: number, access = 7): number {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const context = new DataView(new ArrayBuffer(12));
  context.setUint32(0, (access << 16) | type, true);
  context.setUint32(4, major, true);
  context.setUint32(8, minor, true);
  const registers = new Map<number, bigint>();
  for (let at = 0; at < program.byteLength / 8; at += 1) {
    const [operation, pair] = [code.getUint8(at * 8), code.getUint8(at * 8 + 1)];
    const [offset, immediate] = [code.getInt16(at * 8 + 2, true), code.getInt32(at * 8 + 4, true)];
    const [destination, source] = [pair & 15, pair >> 4];
    const registerAt = (register: number): bigint => {
      const value = registers.get(register);
      if (value === undefined) throw new Error(`instruction ${at}: register ${register} was never set`);
      return value;
    };
    switch (operation) {
      case 0x61:
        if (source !== 1) throw new Error(`instruction ${at}: load from register ${source}`);
        registers.set(destination, BigInt(context.getUint32(offset, true)));
        break;
      case 0x57:
        registers.set(destination, registerAt(destination) & BigInt(immediate));
        break;
      case 0x77:
        registers.set(destination, registerAt(destination) >> BigInt(immediate));
        break;
      case 0xbf:
        registers.set(destination, registerAt(source));
        break;
      case 0x55:
        if (registerAt(destination) !== BigInt(immediate)) at += offset;
        break;
      case 0xb7:
        registers.set(destination, BigInt(immediate));
        break;
      case 0x95:
        return Number(registers.get(0));
      default:
        throw new Error(`instruction ${at}: unknown code ${operation}`);
    }
  }
  throw new Error("the program runs off its end");
}
