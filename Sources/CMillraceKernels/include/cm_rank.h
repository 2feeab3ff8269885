// Numbers in order.
#ifndef CM_RANK_H
#define CM_RANK_H

#include <stddef.h>
#include <stdint.h>

/// Sorts `count` keys, the least first; `spare` has room for as many.
void cm_sort_keys(uint32_t *keys, uint32_t *spare, size_t count);

#endif
