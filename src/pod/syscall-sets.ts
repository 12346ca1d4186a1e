/**
 * Which system calls our default filter allows, which only with a capability, which never, and the sets that @-wildcards name. Data.
 * Every call of our tables stands in exactly one of allowed, conditional, gated, absent, denied and obsolete; a test checks it, so that
 * a call added to the tables is blocked until somebody decides about it.
 */

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

export const allowedCalls: readonly string[] = words(`
  _llseek _newselect accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget capset chdir chmod
  chown chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
  clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 epoll_create
  epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group
  faccessat faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat
  fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs
  fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat
  get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid
  getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom
  getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday
  getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel
  io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioprio_get ioprio_set ipc kill
  landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen
  listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier
  memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect
  mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink
  mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep newfstatat open openat openat2
  pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl
  pread64 preadv preadv2 prlimit64 process_mrelease pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read
  readahead readdir readlink readlinkat readv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr
  removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask
  rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo
  sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
  sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
  sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 sendfile sendfile64
  sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32
  setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32
  setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat
  shmctl shmdt shmget shutdown sigaction sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigreturn
  sigsuspend socketpair splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs
  sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime
  timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill
  truncate truncate64 ugetrlimit umask uname unlink unlinkat utime utimensat utimensat_time64 utimes vfork wait4
  waitid waitpid write writev
`);

/** Allowed with conditions on their arguments (seccomp.ts). */
export const conditionalCalls: readonly string[] = words("clone ioctl personality socket");

/** Useless or dangerous without the capability; with it the kernel checks the rest. */
export const gatedCalls: readonly (readonly [capability: string, calls: readonly string[]])[] = [
  [
    "CAP_SYS_ADMIN",
    words(`bpf fanotify_init fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree perf_event_open pivot_root
      quotactl quotactl_fd setdomainname sethostname setns umount umount2 unshare`),
  ],
  ["CAP_SYS_PTRACE", words("kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace")],
  ["CAP_SYS_MODULE", words("delete_module finit_module init_module")],
  ["CAP_SYS_TIME", words("clock_settime clock_settime64 settimeofday stime")],
  ["CAP_SYS_NICE", words("get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node")],
  ["CAP_SYS_RAWIO", words("ioperm iopl")],
  ["CAP_SYS_PACCT", words("acct")],
  ["CAP_SYS_BOOT", words("reboot")],
  ["CAP_SYS_CHROOT", words("chroot")],
  ["CAP_SYS_TTY_CONFIG", words("vhangup")],
  ["CAP_SYSLOG", words("syslog")],
  ["CAP_DAC_READ_SEARCH", words("name_to_handle_at open_by_handle_at")],
  ["CAP_BPF", words("bpf")],
  ["CAP_PERFMON", words("perf_event_open")],
];

/**
 * Of those that the default blocks, what a retain-set of an image opens: debuggers and programs that place their memory. The kernel asks
 * each for the right to trace the other process, and none reaches beyond the pod. All that is else blocked takes the word of whoever runs it.
 */
export const grantableCalls: readonly string[] = words(`
  get_mempolicy kcmp mbind migrate_pages move_pages name_to_handle_at pidfd_getfd process_madvise process_vm_readv
  process_vm_writev ptrace set_mempolicy set_mempolicy_home_node
`);

/** Answered with ENOSYS, because C libraries then take the older way; with CAP_SYS_ADMIN they are there. */
export const absentCalls: readonly string[] = words(
  "clone3 file_getattr file_setattr listmount lsm_get_self_attr lsm_list_modules lsm_set_self_attr open_tree_attr socketcall statmount",
);

/** Never by default: attack surface that hardly any app needs. */
export const deniedCalls: readonly string[] = words(`
  add_key fanotify_mark io_uring_enter io_uring_register io_uring_setup kexec_file_load kexec_load keyctl modify_ldt
  nice request_key sgetmask ssetmask swapoff swapon userfaultfd vm86 vm86old vmsplice
`);

/** Gone from the kernel, or kept by it for programs of the last century. */
export const obsoleteCalls: readonly string[] = words(`
  _sysctl afs_syscall bdflush break create_module epoll_ctl_old epoll_wait_old ftime get_kernel_syms getpmsg gtty
  idle lock lookup_dcookie mpx nfsservctl oldfstat oldlstat oldolduname oldstat olduname prof profil putpmsg
  query_module security stty sysfs tuxcall ulimit uselib ustat vserver
`);

/** The groups of systemd's SystemCallFilter that rkt passed through. */
export const systemdSets: ReadonlyMap<string, readonly string[]> = new Map([
  ["clock", words("adjtimex clock_adjtime clock_adjtime64 clock_settime clock_settime64 settimeofday stime")],
  [
    "default-whitelist",
    words(`brk clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 execve exit
      exit_group futex futex_time64 futex_waitv get_robust_list get_thread_area getegid getegid32 geteuid geteuid32 getgid getgid32
      getgroups getgroups32 getpgid getpgrp getpid getppid getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getsid
      gettid gettimeofday getuid getuid32 membarrier mmap mmap2 mprotect munmap nanosleep pause prlimit64 restart_syscall rseq
      rt_sigreturn sched_getaffinity sched_yield set_robust_list set_thread_area set_tid_address sigreturn time ugetrlimit`),
  ],
  [
    "mount",
    words(`chroot fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree open_tree_attr pivot_root umount
      umount2`),
  ],
  [
    "network-io",
    words(`accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmmsg_time64 recvmsg sendmmsg
      sendmsg sendto setsockopt shutdown socket socketcall socketpair`),
  ],
  [
    "obsolete",
    words(`_sysctl afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle lock mpx prof profil putpmsg
      query_module security sgetmask ssetmask stime stty sysfs tuxcall ulimit uselib ustat vserver`),
  ],
  [
    "privileged",
    words(`_sysctl acct adjtimex bpf capset chown chown32 chroot clock_adjtime clock_adjtime64 clock_settime clock_settime64
      delete_module fanotify_init fanotify_mark fchown fchown32 fchownat finit_module init_module ioperm iopl kexec_file_load
      kexec_load lchown lchown32 nfsservctl open_by_handle_at pivot_root quotactl quotactl_fd reboot setdomainname setfsuid
      setfsuid32 setgroups setgroups32 sethostname setresuid setresuid32 setreuid setreuid32 settimeofday setuid setuid32 stime
      swapoff swapon vhangup`),
  ],
  [
    "process",
    words(`arch_prctl capget clone clone3 execveat fork getrusage kill pidfd_open pidfd_send_signal prctl rt_sigqueueinfo
      rt_tgsigqueueinfo setns tgkill times tkill unshare vfork wait4 waitid waitpid`),
  ],
  ["raw-io", words("ioperm iopl")],
]);
