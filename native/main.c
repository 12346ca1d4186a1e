/* perigee-shim: the verb table. Protocol: spec/shim.md. */
#include <stdio.h>
#include <string.h>
#include "verbs.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} verbs[] = {
    {"run", verb_run}, {"enter", verb_enter}, {"unpack", verb_unpack}, {"pack", verb_pack}, {"remove", verb_remove}, {"probe", verb_probe},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 2, argv + 2);
    fputs("usage: perigee-shim run|enter|unpack|pack|remove|probe …\nThis program is started by perigee; spec/shim.md describes it.\n", stderr);
    return 2;
}
