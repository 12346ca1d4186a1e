/* perigee-shim: the verb table. Protocol: spec/shim.md. */
#include <stdio.h>
#include <string.h>
#include "verbs.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} verbs[] = {
    {"run", verb_run}, {"enter", verb_enter}, {"attach", verb_attach}, {"unpack", verb_unpack}, {"pack", verb_pack}, {"remove", verb_remove}, {"probe", verb_probe}, {"mapped", verb_mapped}, {"own", verb_own},
    {"netns", verb_netns}, {"bridge-remove", verb_bridge_remove},
};

int verb_by_name(const char *name, int argc, char **argv)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(name, verbs[i].name) == 0)
            return verbs[i].run(argc, argv);
    return -1;
}

int main(int argc, char **argv)
{
    int status = argc > 1 ? verb_by_name(argv[1], argc - 2, argv + 2) : -1;
    if (status >= 0)
        return status;
    fputs("usage: perigee-shim run|enter|attach|unpack|pack|remove|probe|own|mapped|netns|bridge-remove …\nThis program is started by perigee; spec/shim.md describes it.\n", stderr);
    return 2;
}
