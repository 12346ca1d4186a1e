/* Sends and receives datagrams, and tells how many and in what time. */
#include "guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

static long long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static struct sockaddr_in address_of(const char *address, const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    inet_pton(AF_INET, address, &at.sin_addr);
    return at;
}

/* ADDRESS PORT COUNT SIZE: as fast as they go. */
int send_datagrams(char **arguments)
{
    static char bytes[65536];
    struct sockaddr_in to = address_of(arguments[0], arguments[1]);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    long sent = 0, count = atol(arguments[2]);
    long long begin = milliseconds();
    for (long i = 0; i < count; i++)
        sent += sendto(fd, bytes, (size_t)atol(arguments[3]), 0, (struct sockaddr *)&to, sizeof to) > 0;
    printf("send.sent=%ld\nsend.milliseconds=%lld\n", sent, milliseconds() - begin);
    return fd < 0;
}

/* ADDRESS PORT MILLISECONDS: until none has come for so long. */
int receive_datagrams(char **arguments)
{
    static char bytes[65536];
    struct sockaddr_in at = address_of(arguments[0], arguments[1]);
    long idle = atol(arguments[2]);
    struct timeval limit = {.tv_sec = idle / 1000, .tv_usec = idle % 1000 * 1000};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
        return 1;
    puts("receiving");
    fflush(stdout);
    long long total = 0, begin = 0, end = 0;
    for (ssize_t length; (length = recv(fd, bytes, sizeof bytes, 0)) >= 0; end = milliseconds()) {
        begin = total == 0 ? milliseconds() : begin;
        total += length;
    }
    printf("receive.bytes=%lld\nreceive.milliseconds=%lld\n", total, end - begin);
    return 0;
}
