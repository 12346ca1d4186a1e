#include "signals.h"

#include "die.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

int signals_open(const int *numbers, size_t count)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < count; i++)
        sigaddset(&set, numbers[i]);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        die("signals", "", errno);
    return fd;
}
