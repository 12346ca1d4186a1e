#include "descriptors.h"

#include "die.h"

#include <errno.h>
#include <unistd.h>

void descriptors_keep(const int *kept, size_t count, unsigned first)
{
    while (first != ~0U) {
        unsigned next = ~0U;
        for (size_t i = 0; i < count; i++)
            if (kept[i] >= 0 && (unsigned)kept[i] >= first && (unsigned)kept[i] < next)
                next = (unsigned)kept[i];
        if (next > first && close_range(first, next == ~0U ? ~0U : next - 1, 0) < 0)
            die("descriptors", "", errno);
        first = next == ~0U ? ~0U : next + 1;
    }
}
