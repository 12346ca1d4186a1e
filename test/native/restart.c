/* restart POLICY MOST COUNT STATUS: whether restart.h says that it is due; restart RAN…: how long it waits after runs of so many milliseconds. */
#include "restart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    int64_t delay = 0;
    if (argc == 5) {
        enum restart_policy policy = strcmp(argv[1], "always") == 0 ? RESTART_ALWAYS : strcmp(argv[1], "on-failure") == 0 ? RESTART_ON_FAILURE : RESTART_NO;
        struct restart_record record = {.policy = policy, .most = (uint32_t)atoi(argv[2])};
        puts(restart_is_due(&record, (uint32_t)atoi(argv[3]), atoi(argv[4])) ? "yes" : "no");
        return 0;
    }
    for (int i = 1; i < argc; i++) {
        delay = restart_delay(delay, atoll(argv[i]));
        printf("%lld\n", (long long)delay);
    }
    return 0;
}
