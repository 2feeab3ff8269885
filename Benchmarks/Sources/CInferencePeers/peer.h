// What all engines have in common.
#ifndef PEER_H
#define PEER_H

#include "inference_peers.h"

struct ip_peer {
    int (*run)(ip_peer *peer, size_t calls);
};

/// Prints why and returns null.
ip_peer *ip_failed(const char *why);

/// Zeroed memory; ends the program without any.
void *ip_allocate(size_t bytes);

#endif
