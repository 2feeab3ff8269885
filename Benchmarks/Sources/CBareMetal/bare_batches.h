#include <stddef.h>
#include <stdint.h>

/// Bytes of one batch given to `bare_use`.
size_t bare_batch_bytes(void);

/// Decodes a batch into `place`; 1, or a negative error. Any number of threads at once.
int64_t bare_decode_one(void *place, size_t turn);
