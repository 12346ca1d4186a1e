#include "keys.h"

#include <string.h>

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool keys_parse(struct keys *keys, const char *text)
{
    size_t length = strlen(text);
    *keys = (struct keys){.count = length / 2};
    if (length % 2 != 0 || length > 2 * (size_t)MOST_KEYS)
        return false;
    for (size_t i = 0; i < keys->count; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        keys->keys[i] = (char)(high << 4 | low);
    }
    return true;
}

bool keys_pass(struct keys *keys, const char *typed, size_t length, char *sent, size_t *sent_length)
{
    *sent_length = 0;
    for (size_t i = 0; i < length; i++) {
        if (keys->count == 0) {
            sent[(*sent_length)++] = typed[i];
            continue;
        }
        keys->held[keys->held_count++] = typed[i];
        /* Those that turn out to be others are the app's; what follows the first of them may still be the beginning. */
        while (memcmp(keys->held, keys->keys, keys->held_count) != 0) {
            sent[(*sent_length)++] = keys->held[0];
            memmove(keys->held, keys->held + 1, --keys->held_count);
        }
        if (keys->held_count == keys->count)
            return true;
    }
    return false;
}
