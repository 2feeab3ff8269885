#define _GNU_SOURCE
#include "mt_counters.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MT_SANITIZED 1
#endif
#endif

static __thread mt_counts counts;

mt_counts mt_counts_now(void) { return counts; }

static void *original(const char *name) { return dlsym(RTLD_NEXT, name); }

// The Swift runtime's entry points, as the compiler calls them from this program and from the
// libraries beside the runtime; the runtime's calls of itself do not come here. The hooks that the
// runtime has for this (`_swift_retain` and others) are no use: with them on, 6.3 takes the
// text of a small string for the address of an object.
#if defined(__aarch64__)
#define MT_REFERENCE_CALL __attribute__((preserve_most))
#else
#define MT_REFERENCE_CALL
#endif

// The original of a counted call, looked up once. Several threads may do that at a time, and find the
// same.
static inline void *original_of(void **found, const char *name) {
    void *next = __atomic_load_n(found, __ATOMIC_RELAXED);
    if (next == NULL) {
        next = original(name);
        __atomic_store_n(found, next, __ATOMIC_RELAXED);
    }
    return next;
}

#define MT_COUNT_REFERENCE(name, counter)                                         \
    MT_REFERENCE_CALL void *name(void *object) {                                  \
        static void *found;                                                       \
        void *next = original_of(&found, #name);                                  \
        counts.counter++;                                                         \
        return ((MT_REFERENCE_CALL void *(*)(void *))next)(object);               \
    }

#define MT_COUNT_REFERENCES(name, counter)                                        \
    void *name(void *object, uint32_t n) {                                        \
        static void *found;                                                       \
        void *next = original_of(&found, #name);                                  \
        counts.counter++;                                                         \
        return ((void *(*)(void *, uint32_t))next)(object, n);                    \
    }

// Releases return nothing; handing on what they leave in the result register does no harm.
MT_COUNT_REFERENCE(swift_retain, retains)
MT_COUNT_REFERENCE(swift_release, releases)
MT_COUNT_REFERENCE(swift_bridgeObjectRetain, retains)
MT_COUNT_REFERENCE(swift_bridgeObjectRelease, releases)
MT_COUNT_REFERENCES(swift_retain_n, retains)
MT_COUNT_REFERENCES(swift_release_n, releases)
MT_COUNT_REFERENCES(swift_bridgeObjectRetain_n, retains)
MT_COUNT_REFERENCES(swift_bridgeObjectRelease_n, releases)
MT_COUNT_REFERENCE(swift_unownedRetain, retains)
MT_COUNT_REFERENCE(swift_unownedRelease, releases)

#ifdef MT_SANITIZED

bool mt_counts_allocations(void) { return false; }

#else

bool mt_counts_allocations(void) { return true; }

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

void *malloc(size_t size) {
    counts.allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    counts.allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    counts.allocations++;
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    counts.allocations++;
    return __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size) {
    counts.allocations++;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    counts.allocations++;
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
    void *memory = __libc_memalign(alignment, size);
    if (memory == NULL) return ENOMEM;
    *result = memory;
    return 0;
}

void free(void *memory) {
    if (memory != NULL) counts.frees++;
    __libc_free(memory);
}

// libc's locks have no second name.
#define MT_COUNT_LOCK(name, type)                                                 \
    int name(type *lock) {                                                        \
        static void *found;                                                       \
        void *next = original_of(&found, #name);                                  \
        counts.locks++;                                                           \
        return ((int (*)(type *))next)(lock);                                     \
    }

MT_COUNT_LOCK(pthread_mutex_lock, pthread_mutex_t)
MT_COUNT_LOCK(pthread_mutex_trylock, pthread_mutex_t)
MT_COUNT_LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
MT_COUNT_LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)

long syscall(long number, ...) {
    va_list list;
    va_start(list, number);
    long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
    long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
    va_end(list);
    if (number == SYS_futex) counts.locks++;
    long result;
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    result = x0;
#else
#error "no raw system call for this processor"
#endif
    if (result < 0 && result > -4096) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

#endif
