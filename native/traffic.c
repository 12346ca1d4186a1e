/* A program of the kernel's looks at each packet of a cgroup of v2 and drops what comes too early: the pod cannot take it off, whatever it
 * may do in its own network namespace, and a pod with the host's network is limited as any other. */
#include "traffic.h"

#include "die.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOOPBACK_INDEX = 1, WAYS = 2 };

/* How far ahead of its rate a cgroup may be: what a queue of an interface would hold back. */
enum { AHEAD_NANOSECONDS = 100000000, SECOND = 1000000000 };

/* For each way the time at which all that has passed would have passed at the rate. */
static int make_times(const char *subject)
{
    union bpf_attr attributes = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = sizeof(uint32_t), .value_size = sizeof(uint64_t), .max_entries = WAYS};
    int map = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes);
    if (map < 0)
        die("network-limit", subject, errno);
    return map;
}

#define INSTRUCTION(c, dst, src, o, i) ((struct bpf_insn){.code = (c), .dst_reg = (dst), .src_reg = (src), .off = (o), .imm = (i)})
#define MOVE(dst, src) INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define SET(dst, i) INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, i)
#define ADD_CONSTANT(dst, i) INSTRUCTION(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, i)
#define LOAD_WORD(dst, src, o) INSTRUCTION(BPF_LDX | BPF_MEM | BPF_W, dst, src, o, 0)
#define CALL(i) INSTRUCTION(BPF_JMP | BPF_CALL, 0, 0, 0, i)
#define EXIT INSTRUCTION(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define PACKET(field) ((short)offsetof(struct __sk_buff, field))

/* A program of `way`: 0 is what comes in, 1 what goes out. */
static int load_program(int way, int map, uint64_t bytes_a_second, const char *subject)
{
    uint32_t low = (uint32_t)bytes_a_second, high = (uint32_t)(bytes_a_second >> 32);
    /* Going out, 2 tells the sender's TCP to slow down; 0 would be EPERM for whoever sends. */
    int dropped = way == 1 ? 2 : 0;
    const struct bpf_insn program[] = {
        MOVE(BPF_REG_6, BPF_REG_1),
        LOAD_WORD(BPF_REG_0, BPF_REG_6, PACKET(ifindex)),
        INSTRUCTION(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 26, LOOPBACK_INDEX), /* pass */
        INSTRUCTION(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, way),
        INSTRUCTION(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map),
        INSTRUCTION(0, 0, 0, 0, 0),
        MOVE(BPF_REG_2, BPF_REG_10),
        ADD_CONSTANT(BPF_REG_2, -4),
        CALL(BPF_FUNC_map_lookup_elem),
        INSTRUCTION(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 19, 0), /* pass */
        MOVE(BPF_REG_7, BPF_REG_0),
        CALL(BPF_FUNC_ktime_get_ns),
        INSTRUCTION(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_2, BPF_REG_7, 0, 0), /* r2: the time that is used up */
        MOVE(BPF_REG_3, BPF_REG_0),
        ADD_CONSTANT(BPF_REG_3, AHEAD_NANOSECONDS),
        INSTRUCTION(BPF_JMP | BPF_JGT | BPF_X, BPF_REG_2, BPF_REG_3, 15, 0), /* drop */
        MOVE(BPF_REG_4, BPF_REG_2),
        INSTRUCTION(BPF_JMP | BPF_JGE | BPF_X, BPF_REG_4, BPF_REG_0, 1, 0),
        MOVE(BPF_REG_4, BPF_REG_0), /* r4: the later of it and now */
        LOAD_WORD(BPF_REG_5, BPF_REG_6, PACKET(len)),
        INSTRUCTION(BPF_ALU64 | BPF_MUL | BPF_K, BPF_REG_5, 0, 0, SECOND),
        INSTRUCTION(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_8, 0, 0, (int)low),
        INSTRUCTION(0, 0, 0, 0, (int)high),
        INSTRUCTION(BPF_ALU64 | BPF_DIV | BPF_X, BPF_REG_5, BPF_REG_8, 0, 0), /* r5: what this packet uses up */
        INSTRUCTION(BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_4, BPF_REG_5, 0, 0),
        MOVE(BPF_REG_0, BPF_REG_2),
        /* Where another processor was faster, its packet is not forgotten. */
        INSTRUCTION(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_7, BPF_REG_4, 0, BPF_CMPXCHG),
        INSTRUCTION(BPF_JMP | BPF_JEQ | BPF_X, BPF_REG_0, BPF_REG_2, 1, 0), /* pass */
        INSTRUCTION(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_7, BPF_REG_5, 0, BPF_ADD),
        SET(BPF_REG_0, 1), /* pass */
        EXIT,
        SET(BPF_REG_0, dropped), /* drop */
        EXIT,
    };
    union bpf_attr attributes = {.prog_type = BPF_PROG_TYPE_CGROUP_SKB,
                                 .expected_attach_type = way == 1 ? BPF_CGROUP_INET_EGRESS : BPF_CGROUP_INET_INGRESS,
                                 .insns = (uint64_t)(uintptr_t)program,
                                 .insn_cnt = sizeof program / sizeof *program,
                                 .license = (uint64_t)(uintptr_t) "Apache-2.0"};
    int loaded = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
    if (loaded < 0)
        die("network-limit", subject, errno);
    return loaded;
}

static void limit(const struct traffic_record *record)
{
    cleanup_fd int cgroup = open(record->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cgroup < 0)
        die("network-limit", record->cgroup, errno);
    cleanup_fd int times = make_times(record->cgroup);
    for (int way = 0; way < WAYS; way++) {
        cleanup_fd int program = load_program(way, times, record->bytes, record->cgroup);
        union bpf_attr attributes = {.target_fd = (uint32_t)cgroup, .attach_bpf_fd = (uint32_t)program,
                                     .attach_type = way == 1 ? BPF_CGROUP_INET_EGRESS : BPF_CGROUP_INET_INGRESS, .attach_flags = BPF_F_ALLOW_MULTI};
        if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes) < 0)
            die("network-limit", record->cgroup, errno);
    }
}

void traffic_limit(const struct pod_plan *plan)
{
    for (size_t i = 0; i < plan->traffic_count; i++)
        limit(&plan->traffic[i]);
}
