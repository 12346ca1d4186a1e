/* What a supervisor and those who are attached to one of its apps say to each other: datagrams on a socket of the pod directory, each a byte
 * that says its kind and what belongs to that (spec/shim.md). */
#ifndef PERIGEE_ATTACHMENT_H
#define PERIGEE_ATTACHMENT_H

#include <stdint.h>

enum { ATTACHMENT_BYTES = 4096 };

#define ATTACHMENT_SOCKET "attach"

enum attachment_kind {
    /* client → supervisor: the name of an app, first of all and once; bytes for its standard input; there are no more; struct attachment_size */
    ATTACHMENT_APP = 'a',
    ATTACHMENT_INPUT = 'i',
    ATTACHMENT_INPUT_END = 'z',
    ATTACHMENT_SIZE = 's',
    /* supervisor → client: one byte of attachment_flag; bytes that the app wrote; uint64_t: so many of them are missing here; int32_t: the
     * app has ended with this status; a word that says why not */
    ATTACHMENT_TAKEN = 't',
    ATTACHMENT_OUTPUT = 'o',
    ATTACHMENT_ERROR = 'e',
    ATTACHMENT_LOST = 'l',
    ATTACHMENT_EXITED = 'x',
    ATTACHMENT_REFUSED = 'r',
};

enum attachment_flag { ATTACHMENT_HAS_TERMINAL = 1, ATTACHMENT_TAKES_INPUT = 2 };

struct attachment_size {
    uint16_t rows, columns;
};

#endif
