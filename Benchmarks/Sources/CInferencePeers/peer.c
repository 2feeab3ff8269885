#include "peer.h"

#include <stdio.h>
#include <stdlib.h>

ip_peer *ip_failed(const char *why) {
    fprintf(stderr, "%s\n", why);
    return NULL;
}

void *ip_allocate(size_t bytes) {
    void *memory = calloc(1, bytes);
    if (memory == NULL) abort();
    return memory;
}

int ip_run(ip_peer *peer, size_t calls) { return peer->run(peer, calls); }
