/* restart POLICY MOST COUNT STATUS GIVEN-UP: whether restart.h says that it is due; restart RAN…: how long it waits after runs of so many milliseconds. */
#include "restart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    int64_t delay = 0;
    if (argc == 6) {
        static const char *const names[] = {[RESTART_NO] = "no", [RESTART_ON_FAILURE] = "on-failure", [RESTART_ALWAYS] = "always", [RESTART_UNHEALTHY] = "unhealthy"};
        struct restart_record record = {.most = (uint32_t)atoi(argv[2])};
        while (strcmp(names[record.policy], argv[1]) != 0)
            record.policy++;
        puts(restart_is_due(&record, (uint32_t)atoi(argv[3]), atoi(argv[4]), strcmp(argv[5], "true") == 0) ? "yes" : "no");
        return 0;
    }
    for (int i = 1; i < argc; i++) {
        delay = restart_delay(delay, atoll(argv[i]));
        printf("%lld\n", (long long)delay);
    }
    return 0;
}
